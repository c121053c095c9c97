/** What was decompressed last, which matches refer to, and output that is still to be handed on. */
import { XzError } from '../decompressor.ts';

/** The most that a chunk of LZMA2 makes. */
export const MAX_CHUNK = 2 * 1024 * 1024;

export class Dictionary {
  /** Bytes since the last reset. */
  position = 0;
  /** Matches reach back so far. */
  readonly #size: number;
  readonly #capacity: number;
  #buffer: Uint8Array;
  /** Where the next byte goes. */
  #at = 0;
  /** Output before this was handed on. */
  #flushed = 0;

  /** @throws XzError if it needs more memory than `limit` bytes. */
  constructor(size: number, limit: number) {
    this.#size = size;
    this.#capacity = size + MAX_CHUNK + Math.min(size, 4 * MAX_CHUNK);
    if (this.#capacity > limit) throw new XzError('Exceeded memory limit');
    this.#buffer = new Uint8Array(Math.min(this.#capacity, 2 * MAX_CHUNK));
  }

  /** The byte before the next one, 0 at the beginning. */
  get last(): number {
    return this.position === 0 ? 0 : this.#buffer[this.#at - 1]!;
  }

  /** Forgets what was; output that is still to be handed on is kept. */
  reset(): void {
    this.position = 0;
  }

  /** Makes room for so many bytes more. Everything has been handed on. */
  reserve(length: number): void {
    if (this.#at + length <= this.#buffer.length) return;
    if (this.#buffer.length < this.#capacity) {
      const larger = new Uint8Array(Math.min(this.#capacity, Math.max(2 * this.#buffer.length, this.#at + length)));
      larger.set(this.#buffer.subarray(0, this.#at));
      this.#buffer = larger;
    }
    if (this.#at + length <= this.#buffer.length) return;
    const kept = Math.min(this.#at, this.#size);
    this.#buffer.copyWithin(0, this.#at - kept, this.#at);
    this.#at = this.#flushed = kept;
  }

  put(byte: number): void {
    this.#buffer[this.#at++] = byte;
    this.position++;
  }

  putAll(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
    this.position += bytes.length;
  }

  /** The byte `distance + 1` back. */
  byte(distance: number): number {
    this.#check(distance);
    return this.#buffer[this.#at - distance - 1]!;
  }

  /** Repeats what is `distance + 1` back, which may overlap with what it makes. */
  copy(distance: number, length: number): void {
    this.#check(distance);
    const buffer = this.#buffer;
    let at = this.#at;
    for (const end = at + length; at < end; at++) buffer[at] = buffer[at - distance - 1]!;
    this.#at = at;
    this.position += length;
  }

  #check(distance: number): void {
    if (distance >= this.position || distance >= this.#size) throw new XzError('Data is corrupt');
  }

  /** The output since the last call, as a view that lives until the next change. */
  flush(): Uint8Array {
    const output = this.#buffer.subarray(this.#flushed, this.#at);
    this.#flushed = this.#at;
    return output;
  }
}
