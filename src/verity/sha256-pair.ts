/**
 * SHA-256 of a stream of bytes and of each 4096-byte block of it, in one pass. The SHA instructions of x86-64 processors have such a
 * latency that two digests at once take hardly longer than one: OpenSSL's multi-block function advances the stream beside each block.
 */
import { hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { viewOf } from '../../bytes/struct.ts';
import type { BlockHash } from './block-hash.ts';
import { checkRange, openssl, type OpenSsl } from './openssl.ts';
import { INITIAL_STATE, LANES, LaneMemory, SHA_BLOCK } from './sha256-lanes.ts';
import type { StreamHash } from './stream-hash.ts';

const WORDS = 8;
/** Lanes that are handed over at least. */
const GROUP = 4;
const STREAM = 0;
const BLOCK = 1;
/** Arrays of this many bytes and less may lie on the JavaScript heap, where the collector moves them. */
const MOVABLE = 64;

export interface PairedHash extends StreamHash {
  /** As `update` with these blocks, each of which it digests too. */
  readonly updateBlocks: BlockHash;
  /** As `update` with the first `length` bytes of one block, all of which it digests. */
  updateTail(length: number, ...block: Parameters<BlockHash>): void;
}

/** A new, reset hash; undefined where the processor or OpenSSL has no such functions. It lives as long as its thread. */
export function sha256Pair(): PairedHash | undefined {
  const ssl = openssl();
  if (ssl?.sha256Lanes === undefined || !hasShaInstructions()) return undefined;
  const pair = new Sha256Pair(ssl);
  return isRight(pair) ? pair : undefined;
}

/** True when it gives the answers of `node:crypto`. */
function isRight(pair: PairedHash): boolean {
  const data = Buffer.allocUnsafeSlow(10 + 9 * 1024);
  for (let i = 0; i < data.length; i++) data[i] = (i * 31) & 255;
  const [actual, expected] = [Buffer.alloc(9 * 32), Buffer.alloc(9 * 32)];
  pair.update(data, 0, 10);
  pair.updateBlocks(data, 10, 1024, 9, actual, 0);
  for (let i = 0; i < 9; i++)
    expected.set(hash('sha256', data.subarray(10 + i * 1024, 10 + (i + 1) * 1024), 'buffer'), i * 32);
  const isSame = actual.equals(expected) && hash('sha256', data, 'buffer').equals(pair.digest());
  pair.reset();
  return isSame;
}

class Sha256Pair implements PairedHash {
  readonly #ssl: OpenSsl;
  /** The stream, and the block beside it. */
  readonly #pair: LaneMemory;
  /** Blocks that lack their padding only. */
  readonly #ends: LaneMemory;
  /** The beginning of the next block of the stream, and room for its padding. */
  readonly #rest = Buffer.allocUnsafeSlow(2 * MOVABLE + 2 * SHA_BLOCK);
  readonly #restAddress: number;
  #restUsed = 0;
  #length = 0;
  readonly #digest = Buffer.allocUnsafeSlow(4 * WORDS);
  readonly #digestView = viewOf(this.#digest);

  constructor(ssl: OpenSsl) {
    this.#ssl = ssl;
    this.#pair = new LaneMemory(ssl);
    this.#ends = new LaneMemory(ssl);
    this.#restAddress = ssl.addressOf(this.#rest);
    this.reset();
  }

  reset(): void {
    const { states } = this.#pair;
    for (let word = 0; word < WORDS; word++) states[word * LANES + STREAM] = INITIAL_STATE[word]!;
    this.#restUsed = 0;
    this.#length = 0;
  }

  update(data: Uint8Array, offset = 0, length = data.length - offset): void {
    checkRange(data, offset, length);
    this.#length += length;
    const end = offset + length;
    let at = offset;
    if (this.#restUsed > 0) {
      at = Math.min(end, offset + SHA_BLOCK - this.#restUsed);
      this.#keep(data, offset, at);
      if (this.#restUsed < SHA_BLOCK) return;
      this.#advance(this.#restAddress, 1);
      this.#restUsed = 0;
    }
    const blocks = Math.floor((end - at) / SHA_BLOCK);
    if (blocks > 0 && data.length > MOVABLE) this.#advance(this.#ssl.addressOf(data) + at, blocks);
    else if (blocks > 0) {
      this.#keep(data, at, at + SHA_BLOCK);
      this.#advance(this.#restAddress, 1);
      this.#restUsed = 0;
    }
    this.#keep(data, at + blocks * SHA_BLOCK, end);
  }

  readonly updateBlocks: BlockHash = (data, offset, blockSize, count, out, outOffset) => {
    const end = offset + blockSize * count;
    checkRange(data, offset, blockSize * count);
    checkRange(out, outOffset, 4 * WORDS * count);
    if (count === 0) return;
    // The stream's own blocks begin so many bytes behind those of the data.
    const ahead = this.#restUsed === 0 ? 0 : SHA_BLOCK - this.#restUsed;
    if (ahead > 0) this.update(data, offset, ahead);
    const from = this.#ssl.addressOf(data) + offset;
    const blocks = blockSize / SHA_BLOCK;
    for (let done = 0; done < count; done += LANES) {
      const some = Math.min(LANES, count - done);
      for (let lane = 0; lane < some; lane++) {
        const at = from + (done + lane) * blockSize;
        const isLast = ahead > 0 && done + lane === count - 1;
        this.#advancePair(at + ahead, isLast ? blocks - 1 : blocks, at, blocks, lane);
      }
      this.#finishBlocks(some, blockSize, out, outOffset + done * 4 * WORDS);
    }
    this.#length += blockSize * count - ahead;
    if (ahead > 0) this.#keep(data, end - SHA_BLOCK + ahead, end);
  };

  updateTail(length: number, ...[data, offset, blockSize, , out, outOffset]: Parameters<BlockHash>): void {
    checkRange(data, offset, blockSize);
    checkRange(out, outOffset, 4 * WORDS);
    const ahead = this.#restUsed === 0 ? 0 : Math.min(length, SHA_BLOCK - this.#restUsed);
    if (ahead > 0) this.update(data, offset, ahead);
    const from = this.#ssl.addressOf(data) + offset;
    const streamBlocks = Math.floor((length - ahead) / SHA_BLOCK);
    this.#advancePair(from + ahead, streamBlocks, from, blockSize / SHA_BLOCK, 0);
    this.#finishBlocks(1, blockSize, out, outOffset);
    this.#length += length - ahead;
    this.#keep(data, offset + ahead + streamBlocks * SHA_BLOCK, offset + length);
  }

  digest(): Uint8Array {
    const rest = this.#rest;
    const blocks = this.#restUsed + 9 > SHA_BLOCK ? 2 : 1;
    rest.fill(0, this.#restUsed, blocks * SHA_BLOCK);
    rest[this.#restUsed] = 0x80;
    rest.writeUInt32BE(Math.floor(this.#length / 2 ** 29), blocks * SHA_BLOCK - 8);
    rest.writeUInt32BE((this.#length % 2 ** 29) * 8, blocks * SHA_BLOCK - 4);
    this.#advance(this.#restAddress, blocks);
    this.#pair.write(STREAM, this.#digestView, 0);
    return this.#digest;
  }

  #keep(data: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    this.#rest.set(data.subarray(from, to), this.#restUsed);
    this.#restUsed += to - from;
  }

  /** The stream alone. */
  #advance(address: number, blocks: number): void {
    this.#pair.describe(STREAM, address, blocks);
    this.#pair.describe(BLOCK, 0, 0);
    this.#pair.run(GROUP);
  }

  /** The stream, and beside it the block that is to be finished as `lane`. */
  #advancePair(stream: number, streamBlocks: number, block: number, blocks: number, lane: number): void {
    const { states } = this.#pair;
    for (let word = 0; word < WORDS; word++) states[word * LANES + BLOCK] = INITIAL_STATE[word]!;
    this.#pair.describe(STREAM, stream, streamBlocks);
    this.#pair.describe(BLOCK, block, blocks);
    this.#pair.run(GROUP);
    const ends = this.#ends.states;
    for (let word = 0; word < WORDS; word++) ends[word * LANES + lane] = states[word * LANES + BLOCK]!;
  }

  #finishBlocks(count: number, blockSize: number, out: Uint8Array, outOffset: number): void {
    const ends = this.#ends;
    ends.describePadding(blockSize, count);
    ends.run(count > GROUP ? LANES : GROUP);
    const view = viewOf(out);
    for (let lane = 0; lane < count; lane++) ends.write(lane, view, outOffset + lane * 4 * WORDS);
  }
}

let known: boolean | undefined;

/** Whether `sha256_multi_block` uses them: without, it advances two states no faster than eight. */
function hasShaInstructions(): boolean {
  known ??= /^flags\s*:.*\bsha_ni\b/m.test(readBeginning('/proc/cpuinfo'));
  return known;
}

/** Of the first processor: the file is made as it is read, and long where there are many. */
function readBeginning(path: string): string {
  try {
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(4096);
      return bytes.toString('latin1', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
