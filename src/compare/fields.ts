/** What differs between two inodes, field by field, as text for people and scripts. */
import { isUtf8 } from 'node:buffer';
import { verityDigest } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import { toUtf8 } from '../tree/byte-string.ts';
import type { Inode, RegularFile, Xattr } from '../tree/tree.ts';

export type FieldName =
  | 'object'
  | 'type'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'mtime'
  | 'links'
  | 'size'
  | 'content'
  | 'storage'
  | 'target'
  | 'device'
  | 'xattr';

export interface FieldChange {
  readonly field: FieldName;
  /** The name of the extended attribute that changed. */
  readonly name?: string;
  /** Undefined for what was not there. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Stands for the digest of a file that is not here: nothing but its OSTree checksum, and perhaps its size, is known. */
export const NOT_FETCHED = 'not fetched' as ObjectId;

/** @returns nothing for inodes that are the same. */
export function inodeFields(a: Inode, b: Inode, ignore: ReadonlySet<FieldName>): FieldChange[] {
  if (a === b) return [];
  if (b.digest === NOT_FETCHED) return [{ field: 'object', before: a.kind, after: NOT_FETCHED }];
  const changes: FieldChange[] = [];
  const compare = (field: FieldName, before: string | undefined, after: string | undefined): void => {
    if (before !== after && !ignore.has(field)) changes.push({ field, before, after });
  };
  compare('type', a.kind, b.kind);
  compare('mode', octal(a.stat.mode), octal(b.stat.mode));
  compare('uid', `${a.stat.uid}`, `${b.stat.uid}`);
  compare('gid', `${a.stat.gid}`, `${b.stat.gid}`);
  compare('mtime', mtime(a), mtime(b));
  // The count of a directory follows from its subdirectories.
  if (a.kind !== 'directory' && b.kind !== 'directory') compare('links', `${a.nlink}`, `${b.nlink}`);
  if (a.kind === 'file' && b.kind === 'file') compareFiles(a, b, compare);
  else if (a.kind === 'symlink' && b.kind === 'symlink') compare('target', toUtf8(a.payload), toUtf8(b.payload));
  else if (a.kind === b.kind) compare('device', device(a.rdev), device(b.rdev));
  if (!ignore.has('xattr')) changes.push(...xattrChanges(a.stat.xattrs, b.stat.xattrs));
  return changes;
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

function mtime({ stat }: Inode): string {
  return stat.mtimeNsec === 0 ? `${stat.mtimeSec}` : `${stat.mtimeSec}.${String(stat.mtimeNsec).padStart(9, '0')}`;
}

/** `MAJOR:MINOR`, of a number as glibc encodes it. */
function device(rdev: number): string {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

function compareFiles(
  a: RegularFile,
  b: RegularFile,
  compare: (field: FieldName, before: string | undefined, after: string | undefined) => void,
): void {
  compare('size', `${a.size}`, `${b.size}`);
  if (!isComparable(a, b)) return;
  const algorithm = contentAlgorithm(a) ?? contentAlgorithm(b) ?? 'sha256';
  const [before, after] = [contentId(a, algorithm), contentId(b, algorithm)];
  compare('content', before, after);
  if (before === after) compare('storage', storage(a), storage(b));
}

/** False for files with digests of different algorithms: whether the contents are the same cannot be told from them. */
function isComparable(a: RegularFile, b: RegularFile): boolean {
  return a.digest === undefined || b.digest === undefined || a.digest.length === b.digest.length;
}

/** Of the digest of a file; undefined without one. */
export function contentAlgorithm({ digest }: RegularFile): HashAlgorithm | undefined {
  return digest === undefined ? undefined : digest.length === 64 ? 'sha256' : 'sha512';
}

/** The fs-verity digest of the content; where none is known, what stands for the content in the tree. */
function contentId(file: RegularFile, algorithm: HashAlgorithm): string {
  if (file.digest !== undefined) return file.digest;
  if (file.content !== undefined || file.size === 0) return verityDigest(algorithm, file.content ?? new Uint8Array(0));
  return file.payload === undefined ? 'a hole' : toUtf8(file.payload);
}

/** Where the content lies; a difference of it alone still gives another image. */
function storage(file: RegularFile): string {
  if (file.size === 0 && file.digest === undefined && file.payload === undefined) return 'empty';
  if (file.content !== undefined) return 'inline';
  const described = file.digest === undefined ? ' without digest' : '';
  return file.payload === undefined ? `external${described}` : `${toUtf8(file.payload)}${described}`;
}

function xattrChanges(a: readonly Xattr[], b: readonly Xattr[]): FieldChange[] {
  if (a === b) return [];
  const after = new Map(b.map(({ name, value }) => [name, xattrText(value)]));
  const changes: FieldChange[] = [];
  for (const { name, value } of a) {
    const change = { before: xattrText(value), after: after.get(name) };
    after.delete(name);
    if (change.before !== change.after) changes.push({ field: 'xattr', name: toUtf8(name), ...change });
  }
  for (const [name, text] of after)
    changes.push({ field: 'xattr', name: toUtf8(name), before: undefined, after: text });
  return changes;
}

/** Text in quotes, anything else in hexadecimal. */
function xattrText(value: Uint8Array): string {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = text.at(-1) === 0 ? text.length - 1 : text.length;
  const printable = isUtf8(value) && !text.subarray(0, end).some((byte) => byte < 0x20 || byte === 0x7f);
  return printable ? JSON.stringify(text.toString('utf8')) : `0x${text.toString('hex')}`;
}
