/**
 * Lays out an image without writing it: order of inodes, shared xattrs, sizes and positions. Everything per inode is in
 * arrays indexed by the inode number (the position in `inodes`).
 */
import { CfsError } from '../../bytes/errors.ts';
import type { Directory, Inode } from '../tree/tree.ts';
import {
  BLOCK_SIZE,
  COMPACT_INODE,
  DIRENT,
  EXTENDED_INODE,
  FILE_TYPES,
  INODES_OFFSET,
  MAX_CHUNK_FORMAT,
  roundUp,
  SLOT_SIZE,
  type ImageVersion,
} from './format.ts';
import { isExternal, planXattrs, type InodeXattrs } from './inode-xattrs.ts';
import { rulesFor, type ImageOptions, type Rules } from './rules.ts';
import { walkTree, type PlannedDirectory, type Walk } from './walk.ts';

/** More than this goes into a block of its own instead of a tail. */
const MAX_TAIL = BLOCK_SIZE / 2;
const MAX_NAME = 255;
const MAX_SYMLINK = 4095;
const MAX_INLINE = 5000;
/** 1024 chunks of the largest size. */
const MAX_SIZE = 2 ** 53;

export interface ImagePlan {
  readonly rules: Rules;
  /** The version that goes into the header. */
  readonly version: ImageVersion;
  readonly walk: Walk;
  readonly inodes: readonly Inode[];
  readonly xattrs: InodeXattrs;
  /** Dirent type; that of whiteouts which are escaped is a regular file's. */
  readonly types: Uint8Array;
  readonly nlinks: Uint32Array;
  /** 1 for the compact form. */
  readonly compact: Uint8Array;
  /** 1 for chunk-based files. */
  readonly chunked: Uint8Array;
  /** Byte position of the inode. */
  readonly positions: Float64Array;
  /** Size of the data that follows the inode, and number of data blocks. */
  readonly tails: Uint32Array;
  readonly blocks: Uint32Array;
  /** Number of the inode's first data block in the image. */
  readonly firstBlocks: Uint32Array;
  readonly minMtimeSec: bigint;
  readonly minMtimeNsec: number;
  readonly inodesEnd: number;
  readonly dataStart: number;
  /** Size of the image in bytes. */
  readonly size: number;
}

/**
 * @throws CfsError when the tree cannot be written: sizes past the limits, one directory in two places, and what the chosen
 * program refuses
 */
export function planImage(root: Directory, options: ImageOptions): ImagePlan {
  const rules = rulesFor(options);
  const walk = walkTree(root, rules);
  const { inodes } = walk.list;
  const bump = options.version === 0 && options.maxVersion === 1 && walk.hasWhiteouts;
  const version = bump ? 1 : options.version;
  const xattrs = planXattrs(walk, version, rules);
  const count = inodes.length;
  const [minMtimeSec, minMtimeNsec] = rules.e2 ? [0n, 0] : minMtime(inodes, rules);
  const plan = {
    rules,
    version,
    walk,
    inodes,
    xattrs,
    types: new Uint8Array(count),
    nlinks: new Uint32Array(count),
    compact: new Uint8Array(count),
    chunked: new Uint8Array(count),
    positions: new Float64Array(count),
    tails: new Uint32Array(count),
    blocks: new Uint32Array(count),
    firstBlocks: new Uint32Array(count),
    minMtimeSec,
    minMtimeNsec,
    inodesEnd: 0,
    dataStart: 0,
    size: 0,
  };
  if (rules.countLinks) countLinks(plan);
  let directory = 0;
  for (let i = 0; i < count; i++) {
    const planned = inodes[i]!.kind === 'directory' ? walk.directories[directory++] : undefined;
    measure(plan, i, planned);
  }
  if (rules.e2) placeE2(plan);
  else placeE1(plan);
  plan.dataStart = roundUp(plan.inodesEnd + xattrs.table.sharedSize, BLOCK_SIZE);
  let block = plan.dataStart / BLOCK_SIZE;
  for (let i = 0; i < count; i++) {
    plan.firstBlocks[i] = block;
    block += plan.blocks[i]!;
  }
  plan.size = block * BLOCK_SIZE;
  return plan;
}

type Draft = { -readonly [K in keyof ImagePlan]: ImagePlan[K] };

function minMtime(inodes: readonly Inode[], rules: Rules): [bigint, number] {
  let sec = inodes[0]!.stat.mtimeSec;
  let nsec = inodes[0]!.stat.mtimeNsec;
  const unsigned = (value: bigint): bigint => (rules.unsignedMtime ? BigInt.asUintN(64, value) : value);
  let key = unsigned(sec);
  let last = inodes[0]!.stat;
  for (const { stat } of inodes) {
    if (stat === last) continue;
    last = stat;
    const other = unsigned(stat.mtimeSec);
    if (other < key || (other === key && stat.mtimeNsec < nsec)) {
      key = other;
      sec = stat.mtimeSec;
      nsec = stat.mtimeNsec;
    }
  }
  return [sec, nsec];
}

/** Link counts of anything but directories as the number of entries. */
function countLinks({ walk, nlinks, rules, inodes }: Draft): void {
  for (const directory of walk.directories) {
    for (const node of directory.inodes) if (node.kind !== 'directory') nlinks[walk.list.indexOf(node)]!++;
  }
  if (rules.e2) return;
  for (let i = 0; i < inodes.length; i++) {
    const node = inodes[i]!;
    if (nlinks[i]! > 1 && node.kind === 'chardev' && node.rdev === 0) {
      throw new CfsError('UNSUPPORTED', 'Cannot write an image: a whiteout inode has nlink > 1');
    }
  }
}

/** Type, form, and how much data of the inode follows it or lies in blocks. */
function measure(plan: Draft, i: number, planned: PlannedDirectory | undefined): void {
  const { rules } = plan;
  const node = plan.inodes[i]!;
  plan.types[i] = FILE_TYPES[node.kind];
  let size = 0;
  if (planned !== undefined) {
    plan.nlinks[i] = 2 + planned.subdirectories.length;
    size = measureDirectory(plan, i, planned);
  } else {
    if (!rules.countLinks) plan.nlinks[i] = node.nlink;
    size = measureLeaf(plan, i, node);
  }
  const { stat } = node;
  plan.compact[i] =
    !rules.e2 &&
    stat.mtimeNsec === plan.minMtimeNsec &&
    stat.mtimeSec === plan.minMtimeSec &&
    plan.nlinks[i]! <= 0xffff &&
    stat.uid <= 0xffff &&
    stat.gid <= 0xffff &&
    size <= 0xffffffff
      ? 1
      : 0;
}

/** Gives the size of the directory's data. */
function measureDirectory(plan: Draft, i: number, { names }: PlannedDirectory): number {
  let blocks = 0;
  let open = 0;
  let total = 0;
  for (const name of names) {
    const cost = DIRENT.size + name.length;
    if (name.length > MAX_NAME) throw limit(`a name has ${name.length} bytes`);
    if (open + cost > BLOCK_SIZE) {
      blocks++;
      open = 0;
    }
    open += cost;
    total += cost;
  }
  if (open > MAX_TAIL) {
    blocks++;
    open = 0;
  }
  plan.blocks[i] = blocks;
  plan.tails[i] = open;
  return total;
}

/** Gives the size that takes part in choosing the compact form. */
function measureLeaf(plan: Draft, i: number, node: Inode): number {
  const { rules } = plan;
  switch (node.kind) {
    case 'symlink':
      if (node.size < 1 || node.size > MAX_SYMLINK) throw limit(`a symlink target has ${node.size} bytes`);
      plan.tails[i] = node.size;
      return node.size;
    case 'file': {
      if (isExternal(node, rules)) {
        if (node.size > MAX_SIZE) throw limit('File too large');
        plan.chunked[i] = 1;
        plan.tails[i] = rules.e2 ? 4 : 4 * chunkCount(node.size);
        return node.size;
      }
      const size = node.content?.length ?? 0;
      if (size > (rules.e2 ? BLOCK_SIZE - 1 : MAX_INLINE)) throw limit(`inline content has ${size} bytes`);
      const tail = size % BLOCK_SIZE;
      const whole = tail > MAX_TAIL ? 1 : 0;
      plan.blocks[i] = rules.e2 ? 0 : (size - tail) / BLOCK_SIZE + whole;
      plan.tails[i] = rules.e2 ? size : whole === 1 ? 0 : tail;
      return size;
    }
    case 'chardev':
      if (!rules.e2 && node.rdev === 0 && !plan.walk.stubs.has(node)) {
        plan.types[i] = FILE_TYPES.file;
        return 0;
      }
      return rules.specialSizes ? node.size : 0;
    default:
      return rules.specialSizes ? node.size : 0;
  }
}

/** log2(chunk size) - 12 of a file in E1: one chunk if possible. */
export function chunkFormat(size: number): number {
  if (size === 0) return 0;
  const last = size - 1;
  const bits = last < 2 ** 32 ? 32 - Math.clz32(last) : 64 - Math.clz32(Math.floor(last / 2 ** 32));
  return Math.min(Math.max(bits - 12, 0), MAX_CHUNK_FORMAT);
}

function chunkCount(size: number): number {
  return Math.ceil(size / 2 ** (12 + chunkFormat(size)));
}

function limit(problem: string): CfsError {
  return new CfsError('LIMIT', `Cannot write an image: ${problem}`);
}

/** Size of the inode's header and xattr body. */
export function headSize({ compact, xattrs }: ImagePlan, i: number): number {
  return (compact[i] === 1 ? COMPACT_INODE.size : EXTENDED_INODE.size) + (xattrs.sets[i]?.bodySize ?? 0);
}

/** E1: tails do not cross a block boundary. */
function placeE1(plan: Draft): void {
  let position = INODES_OFFSET;
  for (let i = 0; i < plan.inodes.length; i++) {
    const head = headSize(plan, i);
    let tail = plan.tails[i]!;
    position = roundUp(position, SLOT_SIZE);
    if (plan.inodes[i]!.kind === 'symlink') {
      const total = head + tail;
      if (Math.floor(position / BLOCK_SIZE) !== Math.floor((position + total - 1) / BLOCK_SIZE)) {
        position = roundUp(position, BLOCK_SIZE);
      }
      if (total >= BLOCK_SIZE) {
        plan.blocks[i] = 1;
        tail = 0;
      }
    } else {
      const room = BLOCK_SIZE - ((position + head) % BLOCK_SIZE);
      if (room < tail) {
        const skip = roundUp(room, SLOT_SIZE);
        if (tail <= BLOCK_SIZE - ((position + head + skip) % BLOCK_SIZE)) {
          position += skip;
        } else {
          plan.blocks[i]!++;
          tail = 0;
          position = roundUp(position, BLOCK_SIZE);
        }
      }
    }
    plan.tails[i] = tail;
    plan.positions[i] = position;
    position += head + tail;
  }
  plan.inodesEnd = roundUp(position, SLOT_SIZE);
}

/** E2: as composefs-rs places them, which leaves a gap also where a tail ends with its block. */
function placeE2(plan: Draft): void {
  let position = INODES_OFFSET;
  for (let i = 0; i < plan.inodes.length; i++) {
    const head = headSize(plan, i);
    const tail = plan.tails[i]!;
    position = roundUp(position, SLOT_SIZE);
    if (tail > 0 && plan.chunked[i] === 0) {
      const before = position + head - 1;
      const end = before + 1 + (tail % BLOCK_SIZE);
      if (Math.floor(before / BLOCK_SIZE) !== Math.floor(end / BLOCK_SIZE)) {
        position = roundUp(position + BLOCK_SIZE - (before % BLOCK_SIZE), SLOT_SIZE);
      }
    }
    plan.positions[i] = position;
    position += head + tail;
  }
  plan.inodesEnd = roundUp(position, SLOT_SIZE);
}
