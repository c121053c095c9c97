/**
 * The file tree, the meeting point of the program: dump files, EROFS images and OSTree commits are read into it and written
 * from it. It is plain data, made for millions of nodes: every inode has the same fields in the same order whatever its
 * kind, metadata lives in `Stat` objects that many inodes may share, and nothing points upwards.
 *
 * Directory entries are an unordered map; whoever needs the byte order of names sorts (`sortedNames`).
 *
 * A hard link is a second entry for the same `Inode` object; directories have exactly one. An inode belongs to one of its
 * entries (image writers number inodes in the order of those): to the first in depth-first name order, unless directories
 * declare the others in `links`.
 */
import { objectPath, type ObjectId } from '../verity/object-id.ts';
import type { ByteString } from './byte-string.ts';

export interface Xattr {
  readonly name: ByteString;
  readonly value: Uint8Array;
}

/** Metadata that every kind of inode has. Never changed once made, so that inodes can share it. */
export interface Stat {
  /** Permission bits only, 0..0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, may be negative. */
  readonly mtimeSec: bigint;
  readonly mtimeNsec: number;
  /** Ascending by name, each name once. Share equal arrays: writers do work once per array. */
  readonly xattrs: readonly Xattr[];
}

export type InodeKind = Inode['kind'];

interface InodeBase {
  stat: Stat;
  /** The link count that is written for anything but a directory (whose count is 2 + its subdirectories). */
  nlink: number;
  /** Scratch of `InodeList`. */
  slot: number;
}

export interface RegularFile extends InodeBase {
  readonly kind: 'file';
  /** In bytes; exact up to 2^53, above which no image can hold a file. */
  size: number;
  rdev: 0;
  /** Inline content of `size` bytes; else the file is external (or, without digest and payload, sparse). */
  content: Uint8Array | undefined;
  /** Where the content of an external file lies, relative to the objects directory. */
  payload: ByteString | undefined;
  digest: ObjectId | undefined;
  entries: undefined;
  links: undefined;
}

export interface Directory extends InodeBase {
  readonly kind: 'directory';
  size: 0;
  rdev: 0;
  content: undefined;
  payload: undefined;
  digest: undefined;
  entries: Map<ByteString, Inode>;
  /** Names of entries that are hard links to an inode that belongs to another entry. */
  links: Set<ByteString> | undefined;
}

export interface Symlink extends InodeBase {
  readonly kind: 'symlink';
  /** Length of the target in bytes. */
  size: number;
  rdev: 0;
  content: undefined;
  /** The target. */
  payload: ByteString;
  digest: undefined;
  entries: undefined;
  links: undefined;
}

export interface Special extends InodeBase {
  readonly kind: 'chardev' | 'blockdev' | 'fifo' | 'socket';
  /** As a dump file states it: without meaning, but it takes part in choosing the form of the inode in an image. */
  size: number;
  /** Device number as glibc encodes it; 0 for fifos and sockets. */
  rdev: number;
  content: undefined;
  payload: undefined;
  digest: undefined;
  entries: undefined;
  links: undefined;
}

export type Inode = RegularFile | Directory | Symlink | Special;

export const NO_XATTRS: readonly Xattr[] = Object.freeze([]);

interface AnyInode {
  kind: InodeKind;
  stat: Stat;
  nlink: number;
  slot: number;
  size: number;
  rdev: number;
  content: Uint8Array | undefined;
  payload: ByteString | undefined;
  digest: ObjectId | undefined;
  entries: Map<ByteString, Inode> | undefined;
  links: Set<ByteString> | undefined;
}

/** The one place where inodes are made: one literal, hence one shape. */
function inode(kind: InodeKind, stat: Stat, nlink: number, size: number, rdev: number): AnyInode {
  return {
    kind,
    stat,
    nlink,
    slot: 0,
    size,
    rdev,
    content: undefined,
    payload: undefined,
    digest: undefined,
    entries: undefined,
    links: undefined,
  };
}

export function directory(stat: Stat): Directory {
  const node = inode('directory', stat, 2, 0, 0);
  node.entries = new Map();
  return node as Directory;
}

/** A file whose content is part of the image. An empty file has neither content nor digest. */
export function inlineFile(stat: Stat, content: Uint8Array, nlink = 1): RegularFile {
  const node = inode('file', stat, nlink, content.length, 0);
  if (content.length > 0) node.content = content;
  return node as RegularFile;
}

/** A file whose content is an object of a repository. */
export function objectFile(stat: Stat, size: number, digest: ObjectId, nlink = 1): RegularFile {
  return externalFile(stat, size, digest, objectPayload(digest), nlink);
}

/** A file whose content lies elsewhere, or nowhere (sparse) with neither digest nor payload. */
export function externalFile(
  stat: Stat,
  size: number,
  digest: ObjectId | undefined,
  payload: ByteString | undefined,
  nlink = 1,
): RegularFile {
  const node = inode('file', stat, nlink, size, 0);
  node.payload = payload;
  node.digest = digest;
  return node as RegularFile;
}

export function symlink(stat: Stat, target: ByteString, nlink = 1): Symlink {
  const node = inode('symlink', stat, nlink, target.length, 0);
  node.payload = target;
  return node as Symlink;
}

export function special(kind: Special['kind'], stat: Stat, rdev = 0, nlink = 1, size = 0): Special {
  return inode(kind, stat, nlink, size, rdev) as Special;
}

/** Where a repository keeps the object, as the payload of an external file. */
export function objectPayload(digest: ObjectId): ByteString {
  return objectPath(digest) as ByteString;
}

/** A character device 0:0, which overlayfs reads as "deleted". */
export function isWhiteout(node: Inode): boolean {
  return node.kind === 'chardev' && node.rdev === 0;
}

/** Type bits of `st_mode`. */
export function typeBits(kind: InodeKind): number {
  switch (kind) {
    case 'fifo':
      return 0o010000;
    case 'chardev':
      return 0o020000;
    case 'directory':
      return 0o040000;
    case 'blockdev':
      return 0o060000;
    case 'file':
      return 0o100000;
    case 'symlink':
      return 0o120000;
    case 'socket':
    default:
      return 0o140000;
  }
}

/** The kind that `st_mode` says, if it is one of the seven. */
export function kindOfMode(mode: number): InodeKind | undefined {
  switch (mode & 0o170000) {
    case 0o010000:
      return 'fifo';
    case 0o020000:
      return 'chardev';
    case 0o040000:
      return 'directory';
    case 0o060000:
      return 'blockdev';
    case 0o100000:
      return 'file';
    case 0o120000:
      return 'symlink';
    case 0o140000:
      return 'socket';
    default:
      return undefined;
  }
}

/** The names of a directory in byte order. */
export function sortedNames(node: Directory): ByteString[] {
  const names = [...node.entries.keys()];
  for (let i = 1; i < names.length; i++) {
    if (names[i - 1]! > names[i]!) return names.sort();
  }
  return names;
}

/** 2 + the number of subdirectories: the link count of a directory. */
export function directoryLinks(node: Directory): number {
  let count = 2;
  for (const child of node.entries.values()) if (child.kind === 'directory') count++;
  return count;
}
