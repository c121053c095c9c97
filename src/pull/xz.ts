/**
 * XZ streams decompressed by the system's liblzma, twice as fast as anything in JavaScript, or by our own decoder where the system has
 * none. Either's memory is bounded by what it is told, and it works in pieces.
 */
import { viewOf } from '../../bytes/struct.ts';
import { XzError, type Decompressor, type OpenDecompressor, type Unpacked } from '../../ostree/delta/decompressor.ts';
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

/** Bytes that are made by one call: between two it may be ended. */
const MOST_ROOM = 32 * 1024 * 1024;
/** Short arrays may lie on the JavaScript heap, where the collector moves them; so they are copied. */
const COPY_BELOW = 4096;

/** The fastest decompressor that there is. */
export const openDecompressor: OpenDecompressor = (memoryLimit) => (openLiblzma() ?? openXz)(memoryLimit);

/** Undefined where the system has no liblzma. */
export function openLiblzma(): OpenDecompressor | undefined {
  const library = liblzma();
  return library && ((memoryLimit) => new LzmaDecompressor(library, memoryLimit));
}

/** Works on a thread of the pool, so that this one can do something else. */
class LzmaDecompressor implements Decompressor {
  readonly step = Infinity;
  readonly #library: Liblzma;
  readonly #stream = Buffer.allocUnsafeSlow(lzmaStream.size).fill(0);
  readonly #view = viewOf(this.#stream);
  readonly #streamAt: bigint;
  readonly #short = Buffer.allocUnsafeSlow(COPY_BELOW);
  /** What a call that is under way uses. */
  #busy: { readonly input: Uint8Array; readonly room: Uint8Array } | undefined;
  #ended = false;
  #isDisposed = false;

  constructor(library: Liblzma, memoryLimit: number) {
    this.#library = library;
    this.#streamAt = library.address(this.#stream);
    check(library.decoder(this.#streamAt, BigInt(memoryLimit), 0));
  }

  async push(input: Uint8Array, unpacked: Unpacked): Promise<void> {
    if (input.length === 0) return;
    if (this.#ended) throw new XzError('Data behind the end of the stream');
    let from = input;
    if (input.length <= COPY_BELOW) {
      this.#short.set(input);
      from = this.#short;
    }
    lzmaStream.write(this.#view, 0, { next_in: this.#library.address(from), avail_in: BigInt(input.length) });
    for (let left = 0; left === 0;) {
      const room = unpacked.room().subarray(0, MOST_ROOM);
      lzmaStream.write(this.#view, 0, { next_out: this.#library.address(room), avail_out: BigInt(room.length) });
      const result = await this.#code({ input: from, room });
      if (this.#isDisposed) throw new XzError('Decompression was ended');
      const { avail_in, avail_out } = lzmaStream.read(this.#view);
      left = Number(avail_out);
      if (left < room.length) unpacked.took(room.length - left);
      if (result === LzmaResult.streamEnd) {
        this.#ended = true;
        if (avail_in > 0n) throw new XzError('Data behind the end of the stream');
        return;
      }
      // It wants more input.
      if (result !== LzmaResult.bufferError) check(result);
    }
  }

  async #code(memory: { readonly input: Uint8Array; readonly room: Uint8Array }): Promise<number> {
    this.#busy = memory;
    try {
      return await this.#library.codeElsewhere(this.#streamAt, LzmaAction.run);
    } finally {
      this.#busy = undefined;
      if (this.#isDisposed) this.#close();
    }
  }

  end(): void {
    if (!this.#ended) throw new XzError('Input buffer too small: the stream is cut short');
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#busy === undefined) this.#close();
  }

  #close(): void {
    this.#library.end(this.#streamAt);
  }
}

function check(result: number): void {
  if (result !== LzmaResult.ok) throw new XzError(problems[result] ?? `liblzma error ${result}`);
}
