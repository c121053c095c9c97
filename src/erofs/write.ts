/**
 * Writes planned images. One piece of code emits everything in order of position, into one array (`writeImage`) or into
 * chunks (`imageChunks`) for digesting or storing an image that need not be in memory at once.
 */
import { viewOf } from '../../bytes/struct.ts';
import type { Directory } from '../tree/tree.ts';
import { Emitter } from './emit.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  FEATURE_COMPAT,
  FLAG_HAS_ACL,
  HEADER,
  HEADER_MAGIC,
  HEADER_VERSION,
  INODES_OFFSET,
  SLOT_SIZE,
  SUPERBLOCK,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
} from './format.ts';
import { headSize, planImage, type ImagePlan } from './plan.ts';
import type { ImageOptions } from './rules.ts';

const DEFAULT_CHUNK_SIZE = 1 << 20;

/** The image of a tree. @throws CfsError when the tree cannot be written */
export function writeImage(root: Directory, options: ImageOptions): Uint8Array {
  const plan = planImage(root, options);
  const [image] = imageChunks(plan, plan.size);
  return image!;
}

/** The image in pieces of about `chunkSize` bytes, each a new array. */
export function* imageChunks(plan: ImagePlan, chunkSize = DEFAULT_CHUNK_SIZE): Generator<Uint8Array, void, undefined> {
  const window = new Window(plan.size, chunkSize);
  const emitter = new Emitter(plan);
  window.open(0, INODES_OFFSET);
  writeHeaders(plan, window.buffer);
  emitter.target(window.buffer, 0);
  const { inodes, positions, tails, blocks, firstBlocks } = plan;
  for (let i = 0; i < inodes.length; i++) {
    const start = positions[i]!;
    const full = window.open(start, start + headSize(plan, i) + tails[i]!);
    if (full !== undefined) {
      yield full;
      emitter.target(window.buffer, window.base);
    }
    emitter.inode(i);
  }
  for (const pair of plan.xattrs.table.shared) {
    const start = plan.inodesEnd + pair.offset;
    const full = window.open(start, start + pair.entrySize);
    if (full !== undefined) {
      yield full;
      emitter.target(window.buffer, window.base);
    }
    emitter.xattrEntry(start - window.base, pair);
  }
  for (let i = 0; i < inodes.length; i++) {
    if (blocks[i] === 0) continue;
    const start = firstBlocks[i]! * BLOCK_SIZE;
    const full = window.open(start, start + blocks[i]! * BLOCK_SIZE);
    if (full !== undefined) {
      yield full;
      emitter.target(window.buffer, window.base);
    }
    emitter.dataBlocks(i);
  }
  yield window.buffer.subarray(0, plan.size - window.base);
}

/** The zero-filled part of the image that is being written. Parts are opened in order of position. */
class Window {
  readonly #size: number;
  readonly #chunkSize: number;
  base = 0;
  buffer: Buffer;

  constructor(size: number, chunkSize: number) {
    this.#size = size;
    this.#chunkSize = Math.max(chunkSize, INODES_OFFSET);
    this.buffer = this.#allocate(0);
  }

  /** With room for a gap after the chunk's last part. */
  #allocate(atLeast: number): Buffer {
    const wanted = Math.max(this.#chunkSize, atLeast) + 2 * BLOCK_SIZE;
    return Buffer.alloc(Math.min(wanted, this.#size - this.base));
  }

  /** Makes room for the bytes from `start` to `end`; what is in front of them is given back if they do not fit with it. */
  open(start: number, end: number): Uint8Array | undefined {
    if (end - this.base <= this.#chunkSize || this.base === start) return undefined;
    const full = this.buffer.subarray(0, start - this.base);
    this.base = start;
    this.buffer = this.#allocate(end - start);
    return full;
  }
}

function writeHeaders(plan: ImagePlan, buffer: Buffer): void {
  const view = viewOf(buffer);
  HEADER.write(view, 0, {
    magic: HEADER_MAGIC,
    version: HEADER_VERSION,
    flags: plan.xattrs.hasAcl ? FLAG_HAS_ACL : 0,
    composefsVersion: plan.version,
  });
  SUPERBLOCK.write(view, SUPERBLOCK_OFFSET, {
    magic: SUPERBLOCK_MAGIC,
    featureCompat: FEATURE_COMPAT,
    blockBits: BLOCK_BITS,
    rootNid: plan.positions[0]! / SLOT_SIZE,
    inodes: BigInt(plan.inodes.length),
    buildTime: plan.minMtimeSec,
    buildTimeNsec: plan.minMtimeNsec,
    blocks: plan.size / BLOCK_SIZE,
    xattrBlock: plan.rules.e2 ? 0 : Math.floor(plan.inodesEnd / BLOCK_SIZE),
  });
}
