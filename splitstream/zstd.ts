/**
 * zstd sections: one frame or several. `zstdDecompressSync` stops silently after the first frame, so frames are taken one by
 * one. The decoder's own limit of 128 MiB for a frame's window holds.
 */
import { promisify } from 'node:util';
import { zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CfsError, FormatError, hasCode } from '../bytes/errors.ts';
import { FORMAT } from './format.ts';

/** With `info: true`, which the types of Node leave out, the result comes with the number of input bytes consumed. */
type WithInfo = (
  input: Uint8Array,
  options: { info: true; maxOutputLength: number; chunkSize: number },
) => { buffer: Buffer; engine: { bytesWritten: number } };
const decompressFrame = zstdDecompressSync as unknown as WithInfo;

/**
 * Decompresses all frames of a section.
 *
 * @param limit greatest allowed size of the result in bytes; beyond it, the error that `tooLarge` makes is thrown.
 * @throws FormatError for a section that is no sequence of complete frames, an empty one included.
 */
export function decompress(section: Uint8Array, field: string, limit: number, tooLarge: () => CfsError): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  let offset = 0;
  do {
    const rest = section.subarray(offset);
    try {
      // Decoding stops when the output has no room left, so room for one byte more tells "full" from "too large".
      const { buffer, engine } = decompressFrame(rest, {
        info: true,
        maxOutputLength: Math.max(1, limit - size + 1),
        chunkSize: Math.min(Math.max(4096, 4 * rest.length), 1 << 20),
      });
      if (engine.bytesWritten <= 0) throw new FormatError(FORMAT, field, 'empty zstd frame');
      size += buffer.length;
      offset += engine.bytesWritten;
      if (buffer.length > 0) parts.push(buffer);
    } catch (error) {
      if (error instanceof CfsError) throw error;
      if (hasCode(error, 'ERR_BUFFER_TOO_LARGE')) throw tooLarge();
      throw new FormatError(FORMAT, field, `bad zstd data: ${(error as Error).message}`, undefined, error);
    }
    if (size > limit) throw tooLarge();
  } while (offset < section.length);
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** One frame, also for empty input. */
export function compress(content: Uint8Array): Uint8Array {
  return zstdCompressSync(content);
}

/** The same, compressed by a thread of the pool. */
export const compressInBackground: (content: Uint8Array) => Promise<Uint8Array> = promisify(zstdCompress);
