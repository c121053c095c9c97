/**
 * The header of a file object, in its two forms, each behind 4 bytes of big-endian length and 4 zero bytes ("sized header"):
 *
 * | form    | GVariant          | where                                                                   |
 * |---------|-------------------|-------------------------------------------------------------------------|
 * | hashed  | `(uuuusa(ayay))`  | what the object's checksum covers, followed by the raw content          |
 * | archive | `(tuuuusa(ayay))` | the head of a `.filez` object, and every file in a commit splitstream   |
 *
 * Fields: [content size,] uid, gid, mode, rdev = 0, symlink target, xattrs; numbers big-endian, the framing offset of the target
 * little-endian at the very end. Since the forms differ by the first 8 bytes only, one is made from the other by moving bytes
 * and correcting that offset. This codec is written by hand because a pull runs it for every file; tests lay it beside the
 * generic GVariant codec.
 */
import { isUtf8 } from 'node:buffer';
import { FormatError } from '../bytes/errors.ts';
import type { OstreeChecksum } from './checksum.ts';
import { checkOwner, isModeOfType, S_IFLNK, S_IFREG } from './mode.ts';
import { MAX_METADATA_SIZE } from './object-type.ts';
import { decodeXattrs, encodeXattrs, offsetWidth, readOffset, widthFor, writeOffset, type Xattr } from './xattrs.ts';

export interface FileHeader {
  readonly uid: number;
  readonly gid: number;
  /** With the file type bits: a regular file or a symlink. */
  readonly mode: number;
  /** Empty for a regular file. */
  readonly symlinkTarget: string;
  /** Sorted by name. */
  readonly xattrs: readonly Xattr[];
}

/** A sized header of the archive form, decoded. */
export interface ArchiveHeader {
  readonly header: FileHeader;
  /** Declared size of the raw content; 0 for a symlink. The checksum does not cover it. */
  readonly size: number;
  /** Bytes of the sized header, prefix included: content starts here. */
  readonly length: number;
}

export interface SizedHeader extends ArchiveHeader {
  /** The sized header of the hashed form, xattrs sorted: what the checksum covers in front of the content. A copy. */
  readonly hashedHeader: Uint8Array;
}

/** Bytes in front of a header variant: its length and padding. */
export const HEADER_PREFIX_SIZE = 8;

const SIZE_FIELD = 8;
const TARGET_AT = 16;
/** Linux PATH_MAX; a target has to leave room for its NUL. */
const PATH_MAX = 4096;

export function isSymlinkMode(mode: number): boolean {
  return isModeOfType(mode, S_IFLNK);
}

function formatName(checksum: OstreeChecksum | undefined): string {
  return checksum === undefined ? 'file header' : `file header of ${checksum}`;
}

function u32be(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/**
 * The length of the sized header (prefix included) that `bytes`, the first bytes of an object of `available` bytes, start with.
 * `FormatError` when it is zero, longer than the object or than 128 MiB; so nothing need be allocated for a false length.
 */
export function sizedHeaderLength(bytes: Uint8Array, available: number, checksum?: OstreeChecksum): number {
  const format = formatName(checksum);
  if (bytes.length < HEADER_PREFIX_SIZE) {
    throw new FormatError(format, 'length', `needs ${HEADER_PREFIX_SIZE} bytes, has ${bytes.length}`, 0);
  }
  const length = u32be(bytes, 0);
  if (length === 0) throw new FormatError(format, 'length', 'File header size is zero', 0);
  const room = Math.min(available - HEADER_PREFIX_SIZE, MAX_METADATA_SIZE);
  if (length > room) throw new FormatError(format, 'length', `File header size ${length} exceeds size ${room}`, 0);
  if (u32be(bytes, 4) !== 0) throw new FormatError(format, 'padding', 'not zero', 4);
  return HEADER_PREFIX_SIZE + length;
}

/**
 * The end of the symlink target (NUL included) in a header variant at `start`…`end` whose target begins at `targetAt`, all
 * positions absolute.
 */
function targetEnd(bytes: Uint8Array, start: number, end: number, targetAt: number, format: string): number {
  const width = offsetWidth(end - start);
  const offsetAt = end - width;
  const targetStop = offsetAt < targetAt ? -1 : start + readOffset(bytes, offsetAt, width);
  if (targetStop <= targetAt || targetStop > offsetAt || widthFor(offsetAt - start, 1) !== width) {
    throw new FormatError(format, 'symlinkTarget', 'Not normal form: bad framing offset', targetAt);
  }
  return targetStop;
}

/** Decodes a header variant of the hashed form at `start`…; xattrs in any order, the result's are sorted. */
function decodeHashedVariant(bytes: Uint8Array, start: number, end: number, format: string): FileHeader {
  return decodeFields(bytes, start, start, end, format);
}

/** Decodes the fields that both forms share: from `start` on, in a variant at `variant`…`end`. */
function decodeFields(bytes: Uint8Array, variant: number, start: number, end: number, format: string): FileHeader {
  const targetAt = start + TARGET_AT;
  const targetStop = targetEnd(bytes, variant, end, targetAt, format);
  const mode = u32be(bytes, start + 8);
  const rdev = u32be(bytes, start + 12);
  const symlink = checkMode(mode, format);
  if (rdev !== 0) throw new FormatError(format, 'rdev', `Corrupted archive file; invalid rdev ${rdev}`);
  if (bytes[targetStop - 1] !== 0) {
    throw new FormatError(format, 'symlinkTarget', 'Not normal form: no terminating NUL', targetAt);
  }
  let symlinkTarget = '';
  if (symlink) {
    const target = Buffer.from(bytes.buffer, bytes.byteOffset + targetAt, targetStop - 1 - targetAt);
    if (!isUtf8(target)) throw new FormatError(format, 'symlinkTarget', 'Not normal form: not UTF-8', targetAt);
    symlinkTarget = target.toString('utf8');
    checkTarget(symlinkTarget, target.length, format);
  } else if (targetStop - 1 > targetAt) {
    throw new FormatError(format, 'symlinkTarget', 'a regular file has a target', targetAt);
  }
  const xattrsEnd = end - offsetWidth(end - variant);
  const xattrs = decodeXattrs(bytes, targetStop, xattrsEnd, format, 'any');
  return { uid: u32be(bytes, start), gid: u32be(bytes, start + 4), mode, symlinkTarget, xattrs };
}

/** True for a symlink, false for a regular file. */
function checkMode(mode: number, format: string): boolean {
  if (isModeOfType(mode, S_IFREG)) return false;
  if (isModeOfType(mode, S_IFLNK)) return true;
  throw new FormatError(format, 'mode', `Corrupted archive file; invalid mode ${mode}`);
}

function checkTarget(target: string, byteLength: number, format: string): void {
  if (target === '') throw new FormatError(format, 'symlinkTarget', 'empty');
  if (target.includes('\0')) throw new FormatError(format, 'symlinkTarget', 'Not normal form: NUL inside');
  if (byteLength >= PATH_MAX) {
    throw new FormatError(format, 'symlinkTarget', `${byteLength} bytes, the longest is ${PATH_MAX - 1}`);
  }
}

/**
 * Decodes the sized header of the archive form that `bytes` begins with; what follows it is ignored. The xattrs are views into `bytes`.
 * `available` is the size of the whole object if `bytes` is only its beginning.
 */
export function decodeArchiveHeader(
  bytes: Uint8Array,
  checksum?: OstreeChecksum,
  available = bytes.length,
): ArchiveHeader {
  const format = formatName(checksum);
  const length = sizedHeaderLength(bytes, available, checksum);
  if (bytes.length < length) throw new FormatError(format, 'length', `needs ${length} bytes, has ${bytes.length}`, 0);
  if (length < HEADER_PREFIX_SIZE + SIZE_FIELD + TARGET_AT + 2) {
    throw new FormatError(format, 'symlinkTarget', `Not normal form: header of ${length - HEADER_PREFIX_SIZE} bytes`);
  }
  const size = u32be(bytes, 8) * 0x1_0000_0000 + u32be(bytes, 12);
  if (!Number.isSafeInteger(size)) throw new FormatError(format, 'size', 'more than 2^53 - 1', 8);
  const header = decodeFields(bytes, HEADER_PREFIX_SIZE, HEADER_PREFIX_SIZE + SIZE_FIELD, length, format);
  if (header.symlinkTarget !== '' && size !== 0) throw new FormatError(format, 'size', `${size} for a symlink`, 8);
  return { header, size, length };
}

/**
 * As `decodeArchiveHeader`, with the hashed form. Nothing in the result refers to `bytes`, which may be a buffer that is used
 * again.
 */
export function decodeSizedHeader(bytes: Uint8Array, checksum?: OstreeChecksum, available = bytes.length): SizedHeader {
  const decoded = decodeArchiveHeader(bytes, checksum, available);
  const { size, length } = decoded;
  const format = formatName(checksum);
  const body = length - HEADER_PREFIX_SIZE - offsetWidth(length - HEADER_PREFIX_SIZE);
  const stop = targetEnd(bytes, HEADER_PREFIX_SIZE, length, HEADER_PREFIX_SIZE + SIZE_FIELD + TARGET_AT, format);
  const hashedHeader = resize(
    bytes,
    HEADER_PREFIX_SIZE + SIZE_FIELD,
    0,
    body - SIZE_FIELD,
    stop - HEADER_PREFIX_SIZE - SIZE_FIELD,
  );
  if (decoded.header.xattrs.length === 0) return { header: decoded.header, size, length, hashedHeader };
  const header = decodeHashedVariant(hashedHeader, HEADER_PREFIX_SIZE, hashedHeader.length, format);
  return {
    header,
    size,
    length,
    hashedHeader: header.xattrs.length > 1 ? canonical(hashedHeader, header) : hashedHeader,
  };
}

/** Decodes a sized header of the hashed form, all of `bytes`. The xattrs are views into `bytes`. */
export function decodeHashedHeader(bytes: Uint8Array, checksum?: OstreeChecksum): FileHeader {
  const format = formatName(checksum);
  const length = sizedHeaderLength(bytes, bytes.length, checksum);
  if (length !== bytes.length) {
    throw new FormatError(format, 'length', `${bytes.length - length} unexpected trailing bytes`, length);
  }
  return decodeHashedVariant(bytes, HEADER_PREFIX_SIZE, length, format);
}

/** `hashedHeader` unless its xattrs were not in order: their names are sorted before hashing. */
function canonical(hashedHeader: Uint8Array, header: FileHeader): Uint8Array {
  const inOrder = header.xattrs.every(
    ({ value }, i) => i === 0 || value.byteOffset > header.xattrs[i - 1]!.value.byteOffset,
  );
  return inOrder ? hashedHeader : encodeHashedHeader(header);
}

/**
 * A sized header whose variant is `gap` zero bytes, then `body` bytes copied from `source` at `at`, then the framing offset
 * `targetStop` (relative to the variant).
 */
function resize(source: Uint8Array, at: number, gap: number, body: number, targetStop: number): Uint8Array {
  const width = widthFor(gap + body, 1);
  const variant = gap + body + width;
  const out = new Uint8Array(HEADER_PREFIX_SIZE + variant);
  writeU32be(out, 0, variant);
  out.set(source.subarray(at, at + body), HEADER_PREFIX_SIZE + gap);
  writeOffset(out, out.length - width, width, targetStop);
  return out;
}

function writeU32be(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** The sized header of the archive form for a sized header of the hashed form, which the caller knows to be valid. */
export function toArchiveHeader(hashedHeader: Uint8Array, size: number): Uint8Array {
  const variant = hashedHeader.length - HEADER_PREFIX_SIZE;
  const width = offsetWidth(variant);
  const targetStop = readOffset(hashedHeader, hashedHeader.length - width, width);
  const out = resize(hashedHeader, HEADER_PREFIX_SIZE, SIZE_FIELD, variant - width, targetStop + SIZE_FIELD);
  writeU32be(out, HEADER_PREFIX_SIZE, Math.floor(size / 0x1_0000_0000));
  writeU32be(out, HEADER_PREFIX_SIZE + 4, size);
  return out;
}

/** The sized header of the hashed form; `FormatError` for a header that a reader would refuse. */
export function encodeHashedHeader(header: FileHeader): Uint8Array {
  const format = 'file header';
  checkOwner(header, format);
  const target = Buffer.from(header.symlinkTarget);
  if (checkMode(header.mode, format)) {
    if (!header.symlinkTarget.isWellFormed()) throw new FormatError(format, 'symlinkTarget', 'not Unicode text');
    checkTarget(header.symlinkTarget, target.length, format);
  } else if (target.length > 0) {
    throw new FormatError(format, 'symlinkTarget', 'a regular file has a target');
  }
  const xattrs = encodeXattrs(header.xattrs, format);
  const targetStop = TARGET_AT + target.length + 1;
  const body = targetStop + xattrs.length;
  const width = widthFor(body, 1);
  const out = new Uint8Array(HEADER_PREFIX_SIZE + body + width);
  writeU32be(out, 0, body + width);
  writeU32be(out, HEADER_PREFIX_SIZE, header.uid);
  writeU32be(out, HEADER_PREFIX_SIZE + 4, header.gid);
  writeU32be(out, HEADER_PREFIX_SIZE + 8, header.mode);
  out.set(target, HEADER_PREFIX_SIZE + TARGET_AT);
  out.set(xattrs, HEADER_PREFIX_SIZE + targetStop);
  writeOffset(out, out.length - width, width, targetStop);
  return out;
}

/** The sized header of the archive form, for content of `size` bytes (0 for a symlink). */
export function encodeArchiveHeader(header: FileHeader, size: number): Uint8Array {
  return toArchiveHeader(encodeHashedHeader(header), size);
}
