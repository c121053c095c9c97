/**
 * A bounds-checked reader over bytes: every read past the end is a `FormatError` that names the format, the field and the
 * offset. Numbers are little-endian. Byte slices are views, not copies.
 */
import { FormatError } from './errors.ts';

export class Cursor {
  readonly bytes: Uint8Array;
  readonly format: string;
  offset: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, format: string, offset = 0) {
    this.bytes = bytes;
    this.format = format;
    this.offset = offset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  /** Moves past `length` bytes and gives the offset where they start. */
  #take(field: string, length: number): number {
    if (length > this.remaining) {
      throw new FormatError(this.format, field, `needs ${length} bytes, ${this.remaining} are left`, this.offset);
    }
    const start = this.offset;
    this.offset += length;
    return start;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(field, 1));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(field, 2), true);
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(field, 4), true);
  }

  i64(field: string): bigint {
    return this.#view.getBigInt64(this.#take(field, 8), true);
  }

  /** A view of the next `length` bytes. */
  take(field: string, length: number): Uint8Array {
    const start = this.#take(field, length);
    return this.bytes.subarray(start, start + length);
  }

  /** The error for a value that was read but is not allowed. */
  fail(field: string, problem: string, offset = this.offset): FormatError {
    return new FormatError(this.format, field, problem, offset);
  }

  /** Throws unless everything was read. */
  end(field = 'end'): void {
    if (this.remaining > 0) throw this.fail(field, `${this.remaining} unexpected trailing bytes`);
  }
}
