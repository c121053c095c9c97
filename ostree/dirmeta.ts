/**
 * Owner, mode and extended attributes as GVariant `(uuua(ayay))`, numbers big-endian: the `dirmeta` object of a directory, and the
 * value of the `user.ostreemeta` attribute of a file in a bare-user repository.
 *
 * The array is the last member, so that the tuple needs no framing offsets: twelve bytes and the array.
 */
import { FormatError } from '../bytes/errors.ts';
import { viewOf } from '../bytes/struct.ts';
import type { OstreeChecksum } from './checksum.ts';
import { checkOwner, isModeOfType, PERMISSION_BITS, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './mode.ts';
import { decodeXattrs, encodeXattrs, type Xattr } from './xattrs.ts';

export interface DirMeta {
  readonly uid: number;
  readonly gid: number;
  /** With the file type bits. */
  readonly mode: number;
  /** Sorted by name. */
  readonly xattrs: readonly Xattr[];
}

const XATTRS_AT = 12;

function decodeOwned(bytes: Uint8Array, format: string, order: 'sorted' | 'any'): DirMeta {
  if (bytes.length < XATTRS_AT) {
    throw new FormatError(format, 'mode', `Not normal form: needs ${XATTRS_AT} bytes, has ${bytes.length}`);
  }
  const view = viewOf(bytes);
  return {
    uid: view.getUint32(0),
    gid: view.getUint32(4),
    mode: view.getUint32(8),
    xattrs: decodeXattrs(bytes, XATTRS_AT, bytes.length, format, order),
  };
}

function encodeOwned(meta: DirMeta, format: string): Uint8Array {
  const xattrs = encodeXattrs(meta.xattrs, format);
  const out = new Uint8Array(XATTRS_AT + xattrs.length);
  const view = viewOf(out);
  view.setUint32(0, meta.uid);
  view.setUint32(4, meta.gid);
  view.setUint32(8, meta.mode);
  out.set(xattrs, XATTRS_AT);
  return out;
}

function checkDirectoryMode(mode: number, format: string): void {
  if ((mode & S_IFMT) !== S_IFDIR) {
    throw new FormatError(format, 'mode', `Invalid directory metadata mode ${mode}; not a directory`);
  }
  if ((mode & ~(S_IFMT | PERMISSION_BITS)) !== 0) {
    throw new FormatError(format, 'mode', `Invalid mode ${mode}; invalid bits in mode`);
  }
}

/** Decodes and checks a dirmeta object; `FormatError` otherwise. The checksum is only for messages. */
export function decodeDirMeta(bytes: Uint8Array, checksum?: OstreeChecksum): DirMeta {
  const format = checksum === undefined ? 'dirmeta' : `dirmeta ${checksum}`;
  const meta = decodeOwned(bytes, format, 'sorted');
  checkDirectoryMode(meta.mode, format);
  return meta;
}

/** The bytes of a dirmeta object; `FormatError` for a mode or xattrs that a reader would refuse. */
export function encodeDirMeta(meta: DirMeta): Uint8Array {
  checkOwner(meta, 'dirmeta');
  checkDirectoryMode(meta.mode, 'dirmeta');
  return encodeOwned(meta, 'dirmeta');
}

/** Decodes a `user.ostreemeta` value, for a regular file or a symlink; the xattrs are sorted. */
export function decodeOstreeMeta(bytes: Uint8Array, format = 'user.ostreemeta'): DirMeta {
  const meta = decodeOwned(bytes, format, 'any');
  checkFileMode(meta.mode, format);
  return meta;
}

/** The `user.ostreemeta` value of a regular file or a symlink; `FormatError` for a mode or xattrs that a reader would refuse. */
export function encodeOstreeMeta(meta: DirMeta): Uint8Array {
  const format = 'user.ostreemeta';
  checkOwner(meta, format);
  checkFileMode(meta.mode, format);
  return encodeOwned(meta, format);
}

function checkFileMode(mode: number, format: string): void {
  if (isModeOfType(mode, S_IFREG) || isModeOfType(mode, S_IFLNK)) return;
  throw new FormatError(format, 'mode', `Invalid file metadata mode ${mode}; not a valid file type`);
}
