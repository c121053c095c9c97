/**
 * Extended attributes, GVariant `a(ayay)`: (name with its terminating NUL, value), sorted by name.
 *
 * This codec is written by hand because every file header and directory holds one such array. It accepts normal form only and is
 * tested against the generic GVariant decoder. No alignment is involved: every member has alignment 1.
 */
import { FormatError } from '../bytes/errors.ts';

export interface Xattr {
  /** The name without its NUL, one character per byte (latin1), so that `<` is the byte-wise order. */
  readonly name: string;
  readonly value: Uint8Array;
}

/** What most files have: one array for all of them, so that who works through a tree knows it again. */
const NO_XATTRS: readonly Xattr[] = Object.freeze([]);

/**
 * Bytes per framing offset of a container of `size` bytes; the same table says which width a body with offsets needs.
 */
export function offsetWidth(size: number): number {
  if (size <= 0xff) return 1;
  return size <= 0xffff ? 2 : 4;
}

/** The smallest width with which `body` bytes and `count` offsets fit the width's own range. */
export function widthFor(body: number, count: number): number {
  if (body + count <= 0xff) return 1;
  return body + 2 * count <= 0xffff ? 2 : 4;
}

/** The little-endian offset of `width` bytes at `at`. */
export function readOffset(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** Writes `value` little-endian in `width` bytes. */
export function writeOffset(bytes: Uint8Array, at: number, width: number, value: number): void {
  for (let i = 0; i < width; i++) bytes[at + i] = (value >>> (8 * i)) & 0xff;
}

/**
 * Decodes `bytes[start..end)`. Order `sorted` demands the canonical order; `any` sorts, as is done before hashing the header
 * of a file. Duplicate, empty and NUL-holding names are refused either way. Values are views into `bytes`.
 */
export function decodeXattrs(
  bytes: Uint8Array,
  start: number,
  end: number,
  format: string,
  order: 'sorted' | 'any',
  field = 'xattrs',
): readonly Xattr[] {
  const size = end - start;
  if (size === 0) return NO_XATTRS;
  const width = offsetWidth(size);
  const fail = (what: string, problem: string, at: number) => new FormatError(format, what, problem, at);
  const body = size < width ? -1 : readOffset(bytes, end - width, width);
  const table = size - body;
  const count = table / width;
  if (body < 0 || table < width || !Number.isInteger(count) || widthFor(body, count) !== width) {
    throw fail(field, 'Not normal form: bad framing offsets', start);
  }
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const xattrs: Xattr[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const next = start + readOffset(bytes, start + body + i * width, width);
    const entry = `${field}[${i}]`;
    if (next <= at || next > start + body) throw fail(entry, 'Not normal form: bad framing offset', at);
    const innerWidth = offsetWidth(next - at);
    const valueEnd = next - innerWidth;
    const nameSize = valueEnd < at ? -1 : readOffset(bytes, valueEnd, innerWidth);
    if (nameSize < 0 || at + nameSize > valueEnd || widthFor(valueEnd - at, 1) !== innerWidth) {
      throw fail(entry, 'Not normal form: bad framing offset', at);
    }
    const nul = nameSize === 0 ? -1 : source.indexOf(0, at);
    if (nul === at || nul === -1 || nul >= at + nameSize) {
      throw fail(`${entry}.name`, `Invalid xattr name (empty or missing NUL) index=${i}`, at);
    }
    if (nul !== at + nameSize - 1) throw fail(`${entry}.name`, `Invalid xattr name (NUL inside) index=${i}`, nul);
    xattrs.push({ name: source.toString('latin1', at, nul), value: bytes.subarray(at + nameSize, valueEnd) });
    at = next;
  }
  return order === 'any' ? sortXattrs(xattrs, format, field) : checkOrder(xattrs, format, field);
}

/** `xattrs` in canonical order, the same array if it is already; `FormatError` for duplicate or unusable names. */
export function sortXattrs(xattrs: readonly Xattr[], format: string, field = 'xattrs'): readonly Xattr[] {
  const sorted = isSorted(xattrs)
    ? xattrs
    : xattrs.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  return checkOrder(sorted, format, field);
}

function isSorted(xattrs: readonly Xattr[]): boolean {
  return xattrs.every((xattr, i) => i === 0 || (xattrs[i - 1]?.name ?? '') < xattr.name);
}

/** True for characters that are bytes, none of them NUL. */
function isByteName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit === 0 || unit > 0xff) return false;
  }
  return true;
}

function checkOrder(xattrs: readonly Xattr[], format: string, field: string): readonly Xattr[] {
  let previous = '';
  for (const [i, { name }] of xattrs.entries()) {
    const at = `${field}[${i}].name`;
    if (name === '') throw new FormatError(format, at, `Invalid xattr name (empty or missing NUL) index=${i}`);
    if (!isByteName(name)) {
      throw new FormatError(format, at, `Invalid xattr name (NUL inside or not bytes) index=${i}`);
    }
    if (i > 0 && name === previous) throw new FormatError(format, at, `Duplicate xattr name, index=${i}`);
    if (name < previous) {
      const names = `prev=${JSON.stringify(previous)}, cur=${JSON.stringify(name)}`;
      throw new FormatError(format, at, `Incorrectly sorted xattr name (${names}), index=${i}`);
    }
    previous = name;
  }
  return xattrs;
}

/** The serialised array; `FormatError` unless the names are canonical (`sortXattrs` makes them so). */
export function encodeXattrs(xattrs: readonly Xattr[], format = 'xattrs'): Uint8Array {
  if (xattrs.length === 0) return new Uint8Array(0);
  checkOrder(xattrs, format, 'xattrs');
  const sizes = xattrs.map(({ name, value }) => {
    const body = name.length + 1 + value.length;
    return body + widthFor(body, 1);
  });
  const body = sizes.reduce((sum, size) => sum + size, 0);
  const width = widthFor(body, xattrs.length);
  const out = new Uint8Array(body + width * xattrs.length);
  let at = 0;
  for (const [i, { name, value }] of xattrs.entries()) {
    const size = sizes[i] ?? 0;
    const innerWidth = offsetWidth(size);
    for (let j = 0; j < name.length; j++) out[at + j] = name.charCodeAt(j);
    out.set(value, at + name.length + 1);
    writeOffset(out, at + size - innerWidth, innerWidth, name.length + 1);
    at += size;
    writeOffset(out, body + i * width, width, at);
  }
  return out;
}
