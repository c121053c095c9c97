/** What part files are decompressed with. */

/** Decompresses one stream, in memory that does not grow with it. */
export interface Decompressor extends Disposable {
  /**
   * Takes the next compressed bytes, and gives what they make to `write`, in pieces that live until it returns.
   * @throws XzError; whatever `write` throws.
   */
  push(input: Uint8Array, write: (piece: Uint8Array) => void): void;
  /** @throws XzError unless the stream is complete. */
  end(): void;
}

/** Bytes that are no XZ stream, or one that needs more memory than it may have. The caller knows of what file. */
export class XzError extends Error {}

/** A decompressor for an XZ stream. */
export type OpenDecompressor = (memoryLimit: number) => Decompressor;
