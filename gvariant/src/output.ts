/** A growing buffer that a value is written to. Bytes past `length` are zero, so padding is only a step forward. */
import { minimalWidth, padding } from './frame.ts';

const encoder = new TextEncoder();

export class Output {
  readonly little: boolean;
  /** Indexes from the outermost value down to the one being written, for error messages. */
  readonly path: number[] = [];
  view: DataView<ArrayBuffer>;
  length = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor(little: boolean) {
    this.little = little;
    this.#bytes = new Uint8Array(256);
    this.view = new DataView(this.#bytes.buffer);
  }

  /** Makes room for `size` more zero bytes and returns where they begin. */
  advance(size: number): number {
    const at = this.length;
    this.#reserve(size);
    this.length += size;
    return at;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  align(alignment: number): void {
    this.advance(padding(this.length, alignment));
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Appends well-formed text as UTF-8. */
  text(text: string): void {
    this.#reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.#bytes.subarray(this.length)).written;
  }

  /** Appends the offset table of the container that began at `start`, in the order given. */
  offsets(start: number, ends: readonly number[]): void {
    if (ends.length === 0) return;
    const width = minimalWidth(this.length - start, ends.length);
    let at = this.advance(width * ends.length);
    for (const end of ends) {
      if (width === 1) this.view.setUint8(at, end);
      else if (width === 2) this.view.setUint16(at, end, true);
      else this.view.setUint32(at, end % 2 ** 32, true);
      if (width === 8) this.view.setUint32(at + 4, Math.floor(end / 2 ** 32), true);
      at += width;
    }
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }
}
