/**
 * Fixed-size records as tables, offset first, so that a table can be laid beside its specification:
 *
 *     const inode = struct('EROFS compact inode', 32, { format: [0x00, u16], mode: [0x04, u16], … });
 *
 * Size, types, decoder and encoder come from the table. Numbers are little-endian unless the field type says `be`.
 * Bytes that no field covers are left alone by `write` (zero in a fresh buffer) and ignored by `read`.
 */
import { FormatError } from './errors.ts';

export interface FieldType<T> {
  readonly size: number;
  get(view: DataView, offset: number): T;
  set(view: DataView, offset: number, value: T): void;
}

export const u8: FieldType<number> = {
  size: 1,
  get: (view, offset) => view.getUint8(offset),
  set: (view, offset, value) => view.setUint8(offset, value),
};

export const u16: FieldType<number> = {
  size: 2,
  get: (view, offset) => view.getUint16(offset, true),
  set: (view, offset, value) => view.setUint16(offset, value, true),
};

export const u32: FieldType<number> = {
  size: 4,
  get: (view, offset) => view.getUint32(offset, true),
  set: (view, offset, value) => view.setUint32(offset, value, true),
};

export const u32be: FieldType<number> = {
  size: 4,
  get: (view, offset) => view.getUint32(offset),
  set: (view, offset, value) => view.setUint32(offset, value),
};

export const u64: FieldType<bigint> = {
  size: 8,
  get: (view, offset) => view.getBigUint64(offset, true),
  set: (view, offset, value) => view.setBigUint64(offset, value, true),
};

export const i64: FieldType<bigint> = {
  size: 8,
  get: (view, offset) => view.getBigInt64(offset, true),
  set: (view, offset, value) => view.setBigInt64(offset, value, true),
};

/** `length` raw bytes; reading gives a view. */
export function bytes(length: number): FieldType<Uint8Array> {
  return {
    size: length,
    get: (view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, length),
    set: (view, offset, value) => new Uint8Array(view.buffer, view.byteOffset + offset, length).set(value),
  };
}

type Fields = Readonly<Record<string, readonly [offset: number, type: FieldType<any>]>>;
type Values<F extends Fields> = { [K in keyof F]: F[K][1] extends FieldType<infer T> ? T : never };

export interface Struct<T> {
  readonly name: string;
  readonly size: number;
  /** The offset of each field, for loops over millions of records that must not make an object for each. */
  readonly at: { readonly [K in keyof T]: number };
  /** Decodes the record at `offset`; `FormatError` when `view` ends before the record does. */
  read(view: DataView, offset?: number): T;
  /** Encodes the given fields at `offset`, leaving every other byte as it is. */
  write(view: DataView, offset: number, values: Partial<T>): void;
}

export function struct<const F extends Fields>(name: string, size: number, fields: F): Struct<Values<F>> {
  const table = Object.entries(fields);
  for (const [field, [offset, type]] of table) {
    if (offset + type.size > size) throw new TypeError(`${name}.${field} ends past the record's ${size} bytes`);
  }
  return {
    name,
    size,
    at: Object.fromEntries(table.map(([field, [offset]]) => [field, offset])) as { [K in keyof F]: number },
    read(view, offset = 0) {
      if (offset < 0 || offset + size > view.byteLength) {
        throw new FormatError(
          name,
          'record',
          `needs ${size} bytes, ${Math.max(0, view.byteLength - offset)} are left`,
          offset,
        );
      }
      const values: Record<string, unknown> = {};
      for (const [field, [at, type]] of table) values[field] = type.get(view, offset + at);
      return values as Values<F>;
    },
    write(view, offset, values) {
      for (const [field, [at, type]] of table) {
        const value = (values as Record<string, unknown>)[field];
        if (value !== undefined) type.set(view, offset + at, value);
      }
    },
  };
}

/** A `DataView` over the same memory. */
export function viewOf(array: Uint8Array): DataView {
  return new DataView(array.buffer, array.byteOffset, array.byteLength);
}
