/**
 * Reads a composefs image into a tree. Made for hostile input: every offset is checked, directories form a tree, and the
 * work is bounded by the size of the image (the data of directories may not overlap by more than that).
 *
 * What the writer added is taken away again: stubs, `.` and `..`, escapes, markers, metacopy and redirect. File contents and
 * xattr values are views of the image.
 */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { viewOf } from '../../bytes/struct.ts';
import type { ByteString } from '../tree/byte-string.ts';
import {
  directory,
  externalFile,
  inlineFile,
  isWhiteout,
  kindOfMode,
  special,
  symlink,
  type Directory,
  type Inode,
  type InodeKind,
  type Stat,
} from '../tree/tree.ts';
import {
  BLOCK_SIZE,
  COMPACT_INODE,
  DIRENT,
  EXTENDED_INODE,
  FILE_TYPES,
  FORM_EXTENDED,
  INODES_OFFSET,
  LAYOUT_CHUNKS,
  LAYOUT_INLINE,
  LAYOUT_PLAIN,
  MAX_CHUNK_FORMAT,
  NULL_CHUNK,
  SLOT_SIZE,
} from './format.ts';
import { readImageHeader, type ImageHeader } from './read-header.ts';
import { XattrReader } from './read-xattrs.ts';

const MAX_DEPTH = 2048;
/** Inodes, and entries. */
const MAX_INODES = 10_000_000;
const MAX_INLINE = 5000;
const MAX_SYMLINK = 4095;
const MAX_SIZE = 2 ** 53;
/** Chunk tables past this need not follow the inode. */
const MAX_INLINE_CHUNKS = 1016;
const TWO_32 = 2 ** 32;
const FORMAT = 'EROFS image';
const stubName = /^[0-9a-f]{2}$/;

const COMPACT = COMPACT_INODE.at;
const EXTENDED = EXTENDED_INODE.at;

/** The tree of an image. @throws FormatError, CfsError LIMIT, UnsupportedError */
export function readImage(image: Uint8Array): Directory {
  return new ImageReader(image, readImageHeader(image), undefined).read();
}

/** What an image says of its directories, which follows from the rest of it. */
export type StoredDirectories = Map<Directory, { readonly size: number; readonly nlink: number }>;

/**
 * The tree as the composefs C library reads it: extended attributes in the order in which they are stored, those of an inode alone
 * before shared ones, and markers of opaque directories among them; no native whiteout, wherever it is.
 * @throws as `readImage`
 */
export function readStoredImage(image: Uint8Array): {
  readonly root: Directory;
  readonly directories: StoredDirectories;
} {
  const directories: StoredDirectories = new Map();
  return { root: new ImageReader(image, readImageHeader(image), directories).read(), directories };
}

interface OpenDirectory {
  readonly node: Directory;
  readonly nid: number;
  readonly parentNid: number;
  readonly depth: number;
  /** Where its data is: whole blocks, then a tail. */
  readonly blocks: number;
  readonly blocksSize: number;
  readonly tail: number;
  readonly tailSize: number;
}

class ImageReader {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  readonly #header: ImageHeader;
  /** Filled if the image is read as the C library does it. */
  readonly #stored: StoredDirectories | undefined;
  readonly #e1: boolean;
  readonly #xattrs: XattrReader;
  /** By slot: 1 + the number of the inode read there. */
  readonly #slots: Uint32Array;
  readonly #inodes: Inode[] = [];
  readonly #types: number[] = [];
  readonly #open: OpenDirectory[] = [];
  /** Bytes of directories and chunk tables that may still be read. */
  #budget: number;
  #entryCount = 0;
  #stat: Stat | undefined;

  constructor(image: Uint8Array, header: ImageHeader, stored: StoredDirectories | undefined) {
    this.#stored = stored;
    this.#buffer = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
    this.#view = viewOf(image);
    this.#header = header;
    this.#e1 = header.version !== 2;
    this.#xattrs = new XattrReader(this.#buffer, header, stored !== undefined);
    this.#slots = new Uint32Array(Math.ceil(image.length / SLOT_SIZE));
    this.#budget = image.length;
  }

  read(): Directory {
    const { rootNid } = this.#header;
    const root = this.#inode(rootNid, rootNid, 0);
    if (root.kind !== 'directory') throw fail('root', 'is no directory', rootNid * SLOT_SIZE);
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) this.#directory(next);
    return root;
  }

  /** Reads the inode at `nid`, which must not have been read yet. */
  #inode(nid: number, parentNid: number, depth: number): Inode {
    const view = this.#view;
    const at = nid * SLOT_SIZE;
    if (at < INODES_OFFSET || at + COMPACT_INODE.size > view.byteLength) throw fail('nid', `${nid} is outside`, at);
    if (this.#inodes.length >= MAX_INODES) throw limit(`more than ${MAX_INODES} inodes`);
    const format = view.getUint16(at + COMPACT.format, true);
    const layout = format >>> 1;
    const extended = (format & 1) === FORM_EXTENDED;
    if (layout !== LAYOUT_PLAIN && layout !== LAYOUT_INLINE && layout !== LAYOUT_CHUNKS) {
      throw fail('inode.format', `${format} is unknown`, at);
    }
    const headSize = extended ? EXTENDED_INODE.size : COMPACT_INODE.size;
    if (at + headSize > view.byteLength) throw fail('inode', 'ends past the image', at);
    const rawMode = view.getUint16(at + COMPACT.mode, true);
    const kind = kindOfMode(rawMode);
    if (kind === undefined) throw fail('inode.mode', `0${rawMode.toString(8)} has no file type`, at);
    const size = extended
      ? view.getUint32(at + EXTENDED.size + 4, true) * TWO_32 + view.getUint32(at + EXTENDED.size, true)
      : view.getUint32(at + COMPACT.size, true);
    if (size > MAX_SIZE) throw fail('inode.size', `${size} is too large`, at);
    const nlink = extended ? view.getUint32(at + EXTENDED.nlink, true) : view.getUint16(at + COMPACT.nlink, true);
    const u = view.getUint32(at + COMPACT.u, true);

    const bodySize = xattrBodySize(view.getUint16(at + COMPACT.xattrCount, true));
    const tail = at + headSize + bodySize;
    if (tail > view.byteLength) throw fail('inode.xattrCount', 'ends past the image', at);
    const xattrs = this.#xattrs;
    xattrs.read(at + headSize, bodySize, kind);
    const stat = this.#statOf(at, extended, rawMode & 0o7777);
    const node = this.#node(kind, stat, size, nlink, u, layout, tail, at);
    if (node.kind === 'directory') {
      if (depth > MAX_DEPTH) throw limit(`directories are nested deeper than ${MAX_DEPTH}`);
      const blocksSize = layout === LAYOUT_INLINE ? size - (size % BLOCK_SIZE) : size;
      const blocks = u * BLOCK_SIZE;
      const tailSize = size - blocksSize;
      this.#check('directory', blocksSize > 0 ? blocks : 0, blocksSize);
      this.#check('directory', tail, tailSize);
      this.#spend(size);
      this.#stored?.set(node, { size, nlink });
      this.#open.push({ node, nid, parentNid, depth, blocks, blocksSize, tail, tailSize });
    }
    this.#slots[nid] = this.#inodes.push(node);
    this.#types.push(FILE_TYPES[kind]);
    return node;
  }

  #node(
    kind: InodeKind,
    stat: Stat,
    size: number,
    nlink: number,
    u: number,
    layout: number,
    tail: number,
    at: number,
  ): Inode {
    if (layout === LAYOUT_CHUNKS && kind !== 'file') throw fail('inode.format', `${kind} with chunks`, at);
    const { whiteout, digest, payload } = this.#xattrs;
    switch (kind) {
      case 'directory':
        return directory(stat);
      case 'file':
        if (whiteout && size === 0 && layout !== LAYOUT_CHUNKS) return special('chardev', stat, 0, nlink);
        if (layout === LAYOUT_CHUNKS) {
          this.#checkChunks(size, u, tail, at);
          return externalFile(stat, size, digest, payload, nlink);
        }
        if (size > MAX_INLINE) throw fail('inode.size', `${size} bytes of inline content, at most ${MAX_INLINE}`, at);
        return size === 0
          ? externalFile(stat, 0, digest, payload, nlink)
          : inlineFile(stat, this.#data(size, u, layout, tail), nlink);
      case 'symlink': {
        if (size < 1 || size > MAX_SYMLINK) throw fail('inode.size', `${size} bytes of symlink target`, at);
        const target = this.#data(size, u, layout, tail);
        if (target.includes(0)) throw fail('symlink', 'has a NUL', at);
        return symlink(stat, target.toString('latin1') as ByteString, nlink);
      }
      case 'chardev':
      case 'blockdev':
        return special(kind, stat, u, nlink);
      case 'fifo':
      case 'socket':
      default:
        return special(kind, stat, 0, nlink);
    }
  }

  /** A `Stat` with the xattrs just read; the previous one when it is equal. */
  #statOf(at: number, extended: boolean, mode: number): Stat {
    const view = this.#view;
    const { xattrs } = this.#xattrs;
    let uid: number;
    let gid: number;
    let mtimeSec = this.#header.buildTime;
    let mtimeNsec = this.#header.buildTimeNsec;
    if (extended) {
      uid = view.getUint32(at + EXTENDED.uid, true);
      gid = view.getUint32(at + EXTENDED.gid, true);
      const low = view.getUint32(at + EXTENDED.mtime, true);
      const high = view.getUint32(at + EXTENDED.mtime + 4, true);
      mtimeSec = low === 0 && high === 0 ? 0n : view.getBigInt64(at + EXTENDED.mtime, true);
      mtimeNsec = view.getUint32(at + EXTENDED.mtimeNsec, true);
    } else {
      uid = view.getUint16(at + COMPACT.uid, true);
      gid = view.getUint16(at + COMPACT.gid, true);
    }
    const last = this.#stat;
    if (
      last !== undefined &&
      last.xattrs === xattrs &&
      last.mode === mode &&
      last.uid === uid &&
      last.gid === gid &&
      last.mtimeNsec === mtimeNsec &&
      last.mtimeSec === mtimeSec
    ) {
      return last;
    }
    return (this.#stat = { mode, uid, gid, mtimeSec, mtimeNsec, xattrs });
  }

  /** The content of a small file or symlink. */
  #data(size: number, u: number, layout: number, tail: number): Buffer {
    const tailSize = layout === LAYOUT_INLINE ? size % BLOCK_SIZE : 0;
    const blocksSize = size - tailSize;
    const blocks = u * BLOCK_SIZE;
    if (blocksSize > 0) this.#check('data', blocks, blocksSize);
    if (tailSize > 0) this.#check('data', tail, tailSize);
    const inBlocks = this.#buffer.subarray(blocks, blocks + blocksSize);
    if (tailSize === 0) return inBlocks;
    const inTail = this.#buffer.subarray(tail, tail + tailSize);
    return blocksSize === 0 ? inTail : Buffer.concat([inBlocks, inTail]);
  }

  /** All chunks of an external file are holes; E2 states only the first. */
  #checkChunks(size: number, u: number, tail: number, at: number): void {
    const all = Math.ceil(size / 2 ** (12 + (u & MAX_CHUNK_FORMAT)));
    const count = this.#e1 ? all : Math.min(all, 1);
    if (count > MAX_INLINE_CHUNKS) return;
    this.#check('chunks', tail, 4 * count);
    this.#spend(4 * count);
    for (let i = 0; i < count; i++) {
      if (this.#view.getUint32(tail + 4 * i, true) !== NULL_CHUNK) throw fail('chunks', 'has content', at);
    }
  }

  #check(field: string, start: number, size: number): void {
    if (start + size > this.#buffer.length) throw fail(field, `${size} bytes end past the image`, start);
  }

  #spend(size: number): void {
    this.#budget -= size;
    if (this.#budget < 0) throw fail('directory', 'directories or chunk tables overlap');
  }

  #directory(open: OpenDirectory): void {
    const seen = { last: '', dots: 0 };
    const { blocks, blocksSize } = open;
    for (let at = 0; at < blocksSize; at += BLOCK_SIZE) {
      this.#entries(open, blocks + at, Math.min(BLOCK_SIZE, blocksSize - at), seen);
    }
    if (open.tailSize > 0) this.#entries(open, open.tail, open.tailSize, seen);
    if (seen.dots !== 2) throw fail('directory', "lacks '.' or '..'", open.nid * SLOT_SIZE);
  }

  /** The entries of one block or tail. */
  #entries(open: OpenDirectory, start: number, size: number, seen: { last: string; dots: number }): void {
    const view = this.#view;
    const { entries } = open.node;
    const isRoot = open.depth === 0 && this.#e1;
    const recordsEnd = size >= DIRENT.size ? view.getUint16(start + DIRENT.at.nameOffset, true) : 0;
    if (recordsEnd === 0 || recordsEnd % DIRENT.size !== 0 || recordsEnd > size) {
      throw fail('dirent.nameOffset', `${recordsEnd} of the first entry`, start);
    }
    let nameOffset = recordsEnd;
    for (let at = 0; at < recordsEnd; at += DIRENT.size) {
      const record = start + at;
      let end = size;
      if (at + DIRENT.size < recordsEnd) end = view.getUint16(record + DIRENT.size + DIRENT.at.nameOffset, true);
      if (end <= nameOffset || end > size || end - nameOffset > BLOCK_SIZE) {
        throw fail('dirent.nameOffset', `${end} after ${nameOffset}`, record);
      }
      if (++this.#entryCount > MAX_INODES) throw limit(`more than ${MAX_INODES} entries`);
      const name = this.#name(start + nameOffset, start + end, record);
      nameOffset = end;
      if (name <= seen.last) throw fail('dirent.name', 'is not in order', record);
      seen.last = name;
      const nid =
        view.getUint32(record + DIRENT.at.nid + 4, true) * TWO_32 + view.getUint32(record + DIRENT.at.nid, true);
      if (name === '.' || name === '..') {
        if (nid !== (name === '.' ? open.nid : open.parentNid))
          throw fail('dirent.nid', `of '${name}' is ${nid}`, record);
        seen.dots++;
        continue;
      }
      const known = nid < this.#slots.length ? this.#slots[nid]! : 0;
      const node = known > 0 ? this.#inodes[known - 1]! : this.#inode(nid, open.nid, open.depth + 1);
      if (known > 0 && node.kind === 'directory')
        throw fail('dirent.nid', 'is a directory that has an entry already', record);
      if (view.getUint8(record + DIRENT.at.type) !== this.#types[this.#slots[nid]! - 1]) {
        throw fail('dirent.type', 'is not that of the inode', record);
      }
      if (isWhiteout(node) && this.#types[this.#slots[nid]! - 1] === FILE_TYPES.chardev) {
        // One of the stubs that hide the object directory.
        if (isRoot && name.length === 2 && stubName.test(name)) continue;
        if (this.#stored !== undefined) continue;
      }
      entries.set(name, node);
    }
  }

  #name(start: number, limitEnd: number, record: number): ByteString {
    const buffer = this.#buffer;
    let end = start;
    for (; end < limitEnd; end++) {
      const byte = buffer[end];
      if (byte === 0) break;
      if (byte === 0x2f) throw fail('dirent.name', 'has a slash', record);
    }
    if (end === start || end - start > 255) throw fail('dirent.name', `has ${end - start} bytes`, record);
    return buffer.toString('latin1', start, end) as ByteString;
  }
}

function xattrBodySize(count: number): number {
  return count === 0 ? 0 : 12 + 4 * (count - 1);
}

function fail(field: string, problem: string, offset?: number): FormatError {
  return new FormatError(FORMAT, field, problem, offset);
}

function limit(problem: string): CfsError {
  return new CfsError('LIMIT', `Cannot read the EROFS image: ${problem}`);
}
