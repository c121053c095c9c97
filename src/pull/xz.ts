/**
 * XZ streams decompressed by the system's liblzma, twice as fast as anything in JavaScript, or by our own decoder where the system has
 * none. Either's memory is bounded by what it is told, and it works in pieces.
 */
import { viewOf } from '../../bytes/struct.ts';
import { XzError, type Decompressor, type OpenDecompressor } from '../../ostree/delta/decompressor.ts';
import { openXz } from '../../ostree/delta/xz/stream.ts';
import { liblzma, LzmaAction, LzmaResult, lzmaStream, type Liblzma } from '../linux/liblzma.ts';

/** In the words of the `xz` program. */
const problems: Readonly<Record<number, string>> = {
  [LzmaResult.memoryError]: 'Not enough memory',
  [LzmaResult.memoryLimitError]: 'Exceeded memory limit',
  [LzmaResult.formatError]: 'File format not recognized',
  [LzmaResult.optionsError]: 'Unsupported compression options',
  [LzmaResult.dataError]: 'Data is corrupt',
};

const PIECE_SIZE = 256 * 1024;
/** Short arrays may lie on the JavaScript heap, where the collector moves them; so they are copied. */
const COPY_BELOW = 4096;

/** The fastest decompressor that there is. */
export const openDecompressor: OpenDecompressor = (memoryLimit) => (openLiblzma() ?? openXz)(memoryLimit);

/** Undefined where the system has no liblzma. */
export function openLiblzma(): OpenDecompressor | undefined {
  const library = liblzma();
  return library && ((memoryLimit) => new LzmaDecompressor(library, memoryLimit));
}

class LzmaDecompressor implements Decompressor {
  readonly #library: Liblzma;
  readonly #stream = Buffer.allocUnsafeSlow(lzmaStream.size).fill(0);
  readonly #view = viewOf(this.#stream);
  readonly #streamAt: bigint;
  readonly #output = Buffer.allocUnsafeSlow(PIECE_SIZE);
  readonly #outputAt: bigint;
  readonly #short = Buffer.allocUnsafeSlow(COPY_BELOW);
  #ended = false;

  constructor(library: Liblzma, memoryLimit: number) {
    this.#library = library;
    this.#streamAt = library.address(this.#stream);
    this.#outputAt = library.address(this.#output);
    check(library.decoder(this.#streamAt, BigInt(memoryLimit), 0));
  }

  push(input: Uint8Array, write: (piece: Uint8Array) => void): void {
    if (input.length === 0) return;
    if (this.#ended) throw new XzError('Data behind the end of the stream');
    let from = input;
    if (input.length <= COPY_BELOW) {
      this.#short.set(input);
      from = this.#short;
    }
    lzmaStream.write(this.#view, 0, { next_in: this.#library.address(from), avail_in: BigInt(input.length) });
    for (let room = 0; room === 0;) {
      lzmaStream.write(this.#view, 0, { next_out: this.#outputAt, avail_out: BigInt(PIECE_SIZE) });
      const result = this.#library.code(this.#streamAt, LzmaAction.run);
      const { avail_in, avail_out } = lzmaStream.read(this.#view);
      room = Number(avail_out);
      if (room < PIECE_SIZE) write(this.#output.subarray(0, PIECE_SIZE - room));
      if (result === LzmaResult.streamEnd) {
        this.#ended = true;
        if (avail_in > 0n) throw new XzError('Data behind the end of the stream');
        return;
      }
      // It wants more input.
      if (result !== LzmaResult.bufferError) check(result);
    }
  }

  end(): void {
    if (!this.#ended) throw new XzError('Input buffer too small: the stream is cut short');
  }

  [Symbol.dispose](): void {
    this.#library.end(this.#streamAt);
  }
}

function check(result: number): void {
  if (result !== LzmaResult.ok) throw new XzError(problems[result] ?? `liblzma error ${result}`);
}
