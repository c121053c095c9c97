/** What part files are decompressed with. */

/** Where unpacked bytes go. */
export interface Unpacked {
  /** Room for the next bytes, which is never empty. Nobody else uses it until `took`. */
  room(): Uint8Array;
  /** So many bytes were put there. */
  took(length: number): void;
}

/** Decompresses one stream, in memory that does not grow with it. */
export interface Decompressor extends Disposable {
  /** Compressed bytes that a call should get at most: XZ makes thousands of bytes of one, and a thread should not be kept busy for long. */
  readonly step: number;
  /**
   * Takes the next compressed bytes, and gives what they make to `unpacked`. One that works elsewhere gives a promise; the bytes are
   * used up, and the next call may come, when it is fulfilled. It may be disposed of before.
   * @throws XzError; whatever `unpacked` throws.
   */
  push(input: Uint8Array, unpacked: Unpacked): void | Promise<void>;
  /** @throws XzError unless the stream is complete. */
  end(): void;
}

/** Bytes that are no XZ stream, or one that needs more memory than it may have. The caller knows of what file. */
export class XzError extends Error {}

/** A decompressor for an XZ stream. */
export type OpenDecompressor = (memoryLimit: number) => Decompressor;

/** Gives bytes that are in memory already. */
export function giveAll(bytes: Uint8Array, unpacked: Unpacked): void {
  for (let done = 0; done < bytes.length;) {
    const room = unpacked.room();
    const length = Math.min(room.length, bytes.length - done);
    room.set(bytes.subarray(done, done + length));
    unpacked.took(length);
    done += length;
  }
}
