/** Emits the parts of a planned image into a buffer that starts anywhere in the image and is zero where nothing was written. */
import { viewOf } from '../../bytes/struct.ts';
import { typeBits, type Inode } from '../tree/tree.ts';
import {
  BLOCK_SIZE,
  COMPACT_INODE,
  DIRENT,
  EXTENDED_INODE,
  FORM_COMPACT,
  FORM_EXTENDED,
  FILE_TYPES,
  LAYOUT_CHUNKS,
  LAYOUT_INLINE,
  LAYOUT_PLAIN,
  MAX_CHUNK_FORMAT,
  METACOPY_HEADER,
  NULL_CHUNK,
  SLOT_SIZE,
  XATTR_BODY,
  XATTR_ENTRY,
} from './format.ts';
import { metacopyAlgorithm } from './inode-xattrs.ts';
import { chunkFormat, type ImagePlan } from './plan.ts';
import type { PlannedDirectory } from './walk.ts';
import type { XattrPair, XattrSet } from './xattr-table.ts';

const COMPACT = COMPACT_INODE.at;
const EXTENDED = EXTENDED_INODE.at;
const DIRENT_AT = DIRENT.at;
const DIRENT_SIZE = DIRENT.size;
const ENTRY = XATTR_ENTRY.at;
const TWO_32 = 2 ** 32;
/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT = 24;

export class Emitter {
  readonly #plan: ImagePlan;
  readonly #directories: ReadonlyMap<Inode, PlannedDirectory>;
  #buffer: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#buffer);
  #base = 0;

  constructor(plan: ImagePlan) {
    this.#plan = plan;
    this.#directories = new Map(plan.walk.directories.map((each) => [each.node, each]));
  }

  /** From now on, `buffer` is the image from position `base`. */
  target(buffer: Buffer, base: number): void {
    this.#buffer = buffer;
    this.#view = viewOf(buffer);
    this.#base = base;
  }

  /** Inode `i`: header, xattr body, tail. */
  inode(i: number): void {
    const plan = this.#plan;
    const node = plan.inodes[i]!;
    const start = plan.positions[i]! - this.#base;
    const set = plan.xattrs.sets[i];
    const tail = plan.tails[i]!;
    let at = this.#header(i, node, start, set, tail);
    if (set !== undefined && set.bodySize > 0) at = this.#xattrBody(at, set);
    if (tail > 0) this.#tail(i, node, at, tail);
  }

  #header(i: number, node: Inode, at: number, set: XattrSet | undefined, tail: number): number {
    const plan = this.#plan;
    const view = this.#view;
    const { stat } = node;
    const layout = plan.chunked[i] === 1 ? LAYOUT_CHUNKS : tail > 0 ? LAYOUT_INLINE : LAYOUT_PLAIN;
    const xattrCount = set === undefined || set.bodySize === 0 ? 0 : (set.bodySize - XATTR_BODY.size) / 4 + 1;
    const whiteout = node.kind === 'chardev' && plan.types[i] === FILE_TYPES.file;
    const mode = (whiteout ? typeBits('file') : typeBits(node.kind)) | stat.mode;
    const size = this.#size(i, node, tail);
    if (plan.compact[i] === 1) {
      view.setUint16(at + COMPACT.format, layout * 2 + FORM_COMPACT, true);
      view.setUint16(at + COMPACT.xattrCount, xattrCount, true);
      view.setUint16(at + COMPACT.mode, mode, true);
      view.setUint16(at + COMPACT.nlink, plan.nlinks[i]!, true);
      view.setUint32(at + COMPACT.size, size, true);
      view.setUint32(at + COMPACT.u, this.#union(i, node), true);
      view.setUint32(at + COMPACT.ino, i, true);
      view.setUint16(at + COMPACT.uid, stat.uid, true);
      view.setUint16(at + COMPACT.gid, stat.gid, true);
      return at + COMPACT_INODE.size;
    }
    view.setUint16(at + EXTENDED.format, layout * 2 + FORM_EXTENDED, true);
    view.setUint16(at + EXTENDED.xattrCount, xattrCount, true);
    view.setUint16(at + EXTENDED.mode, mode, true);
    view.setUint32(at + EXTENDED.size, size % TWO_32, true);
    view.setUint32(at + EXTENDED.size + 4, Math.floor(size / TWO_32), true);
    view.setUint32(at + EXTENDED.u, this.#union(i, node), true);
    view.setUint32(at + EXTENDED.ino, plan.rules.e2 ? plan.positions[i]! / SLOT_SIZE : i, true);
    view.setUint32(at + EXTENDED.uid, stat.uid, true);
    view.setUint32(at + EXTENDED.gid, stat.gid, true);
    if (stat.mtimeSec !== 0n) view.setBigInt64(at + EXTENDED.mtime, stat.mtimeSec, true);
    view.setUint32(at + EXTENDED.mtimeNsec, plan.rules.e2 ? 0 : stat.mtimeNsec, true);
    view.setUint32(at + EXTENDED.nlink, plan.nlinks[i]!, true);
    return at + EXTENDED_INODE.size;
  }

  #size(i: number, node: Inode, tail: number): number {
    switch (node.kind) {
      case 'directory':
        return this.#plan.blocks[i]! * BLOCK_SIZE + tail;
      case 'file':
      case 'symlink':
        return node.size;
      default:
        return 0;
    }
  }

  /** First block, device number or chunk format. */
  #union(i: number, node: Inode): number {
    const plan = this.#plan;
    const block = plan.blocks[i]! > 0 ? plan.firstBlocks[i]! : 0;
    if (plan.chunked[i] === 1) {
      return plan.rules.e2 ? MAX_CHUNK_FORMAT : ((block & 0xffff0000) | chunkFormat(node.size)) >>> 0;
    }
    return node.kind === 'chardev' || node.kind === 'blockdev' ? node.rdev % TWO_32 : block;
  }

  #xattrBody(start: number, set: XattrSet): number {
    const plan = this.#plan;
    const view = this.#view;
    const { inodesEnd } = plan;
    const sharedBase = plan.rules.e2 ? inodesEnd : inodesEnd % BLOCK_SIZE;
    view.setUint32(start + XATTR_BODY.at.nameFilter, set.filter, true);
    view.setUint8(start + XATTR_BODY.at.sharedCount, set.refs & 0xff);
    let at = start + XATTR_BODY.size;
    let refs = 0;
    for (const pair of set.pairs) {
      if (pair.offset < 0 || refs === set.refs) continue;
      refs++;
      view.setUint32(at, (sharedBase + pair.offset) / 4, true);
      at += 4;
    }
    refs = 0;
    for (const pair of set.pairs) {
      if (pair.offset >= 0 && refs++ < set.refs) continue;
      this.xattrEntry(at, pair);
      at += pair.entrySize;
    }
    return at;
  }

  /** An entry at `start` of the buffer. */
  xattrEntry(start: number, { name, form, text, valueSize }: XattrPair): void {
    const view = this.#view;
    view.setUint8(start + ENTRY.nameLength, name.suffix.length);
    view.setUint8(start + ENTRY.nameIndex, name.index);
    view.setUint16(start + ENTRY.valueSize, valueSize, true);
    const at = start + XATTR_ENTRY.size;
    this.#text(at, name.suffix);
    const value = at + name.suffix.length;
    if (form === 'bytes') {
      this.#text(value, text);
    } else if (form === 'redirect') {
      this.#buffer[value] = 0x2f;
      this.#text(value + 1, text);
    } else {
      view.setUint8(value + METACOPY_HEADER.at.size, valueSize);
      view.setUint8(value + METACOPY_HEADER.at.algorithm, metacopyAlgorithm(text));
      this.#buffer.write(text, value + METACOPY_HEADER.size, 'hex');
    }
  }

  #text(at: number, text: string): void {
    const { length } = text;
    if (length > SHORT) {
      this.#buffer.write(text, at, 'latin1');
      return;
    }
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) buffer[at + i] = text.charCodeAt(i);
  }

  #tail(i: number, node: Inode, at: number, size: number): void {
    switch (node.kind) {
      case 'directory': {
        const planned = this.#directories.get(node)!;
        this.#entries(planned, this.#plan.blocks[i] === 0 ? 0 : tailStart(planned), planned.names.length, at);
        break;
      }
      case 'symlink':
        this.#text(at, node.payload);
        break;
      default:
        if (node.content !== undefined) {
          this.#buffer.set(node.content.subarray(node.content.length - size), at);
        } else {
          for (let chunk = 0; chunk < size; chunk += 4) this.#view.setUint32(at + chunk, NULL_CHUNK, true);
        }
    }
  }

  /** The data blocks of inode `i`. */
  dataBlocks(i: number): void {
    const plan = this.#plan;
    const node = plan.inodes[i]!;
    const start = plan.firstBlocks[i]! * BLOCK_SIZE - this.#base;
    switch (node.kind) {
      case 'directory':
        this.#directoryBlocks(this.#directories.get(node)!, start, plan.tails[i]! > 0);
        break;
      case 'symlink':
        this.#text(start, node.payload);
        break;
      default:
        if (node.content === undefined) this.#buffer.fill(0xff, start, start + BLOCK_SIZE);
        else this.#buffer.set(node.content.subarray(0, plan.blocks[i]! * BLOCK_SIZE), start);
    }
  }

  #directoryBlocks(planned: PlannedDirectory, start: number, hasTail: boolean): void {
    const { names } = planned;
    let at = start;
    let first = 0;
    let open = 0;
    for (let i = 0; i < names.length; i++) {
      const cost = DIRENT_SIZE + names[i]!.length;
      if (open + cost > BLOCK_SIZE) {
        this.#entries(planned, first, i, at);
        at += BLOCK_SIZE;
        first = i;
        open = 0;
      }
      open += cost;
    }
    if (!hasTail) this.#entries(planned, first, names.length, at);
  }

  /** The entries `from` to `to` of a directory as one complete block or tail. */
  #entries({ names, inodes }: PlannedDirectory, from: number, to: number, start: number): void {
    const { walk, positions, types } = this.#plan;
    const view = this.#view;
    let record = start;
    let nameOffset = (to - from) * DIRENT_SIZE;
    for (let i = from; i < to; i++) {
      const target = walk.list.indexOf(inodes[i]!);
      const nid = positions[target]! / SLOT_SIZE;
      const name = names[i]!;
      view.setUint32(record + DIRENT_AT.nid, nid % TWO_32, true);
      view.setUint32(record + DIRENT_AT.nid + 4, Math.floor(nid / TWO_32), true);
      view.setUint16(record + DIRENT_AT.nameOffset, nameOffset, true);
      view.setUint8(record + DIRENT_AT.type, types[target]!);
      this.#text(start + nameOffset, name);
      nameOffset += name.length;
      record += DIRENT_SIZE;
    }
  }
}

/** The first entry that is in the tail of a directory that has blocks as well. */
function tailStart({ names }: PlannedDirectory): number {
  let first = 0;
  let open = 0;
  for (let i = 0; i < names.length; i++) {
    const cost = DIRENT_SIZE + names[i]!.length;
    if (open + cost > BLOCK_SIZE) {
      first = i;
      open = 0;
    }
    open += cost;
  }
  return first;
}
