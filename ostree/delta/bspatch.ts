/**
 * Applying a patch of the bsdiff library that static deltas use: records without magic, header or compression, until the new file is
 * complete. A record is three numbers, bytes to be added to the old file's, and bytes as they are:
 *
 * | number | meaning                                                                                 |
 * |--------|-----------------------------------------------------------------------------------------|
 * | A      | so many bytes of difference follow; the position in the old file moves on by as much      |
 * | E      | then so many new bytes                                                                  |
 * | S      | the position in the old file moves by this, which may be negative                        |
 *
 * Numbers are eight bytes, little-endian, with the sign in the top bit. Positions outside of the old file count as zeros.
 */
import { FormatError } from '../../bytes/errors.ts';
import type { ByteWindow } from './byte-window.ts';

const NUMBER_SIZE = 8;
const RECORD_SIZE = 3 * NUMBER_SIZE;
/** Bytes of output made at a time. */
const PIECE = 64 * 1024;

/** Where the patch lies, and what errors call it. */
export interface Patch {
  readonly bytes: ByteWindow;
  readonly offset: number;
  readonly length: number;
  readonly format: string;
  readonly field: string;
}

/** Puts the next bytes of the new file at `at` of `into`, at most `room`, and gives their number. */
export type MakeBytes = (into: Uint8Array, at: number, room: number) => number;

/**
 * The new file of `size` bytes in pieces, none of them empty, each made by a call that the consumer makes before it asks for the next.
 * @throws FormatError for numbers that are negative, or lead out of the patch or past the new file's end.
 */
export function* bspatch(patch: Patch, old: ByteWindow, size: number): Generator<MakeBytes, void, undefined> {
  const patching = new Patching(patch, old, size);
  const make: MakeBytes = (into, at, room) => patching.make(into, at, Math.min(room, PIECE));
  while (patching.begins()) yield make;
}

class Patching {
  readonly #patch: Patch;
  readonly #old: ByteWindow;
  /** Bytes of the patch that are not read yet. */
  #at: number;
  #left: number;
  #oldAt = 0;
  /** Of the new file. */
  readonly #size: number;
  /** Bytes of the new file that are not made yet, and of them those of the record. */
  #rest: number;
  #diff = 0;
  #extra = 0;
  #seek = 0;

  constructor(patch: Patch, old: ByteWindow, size: number) {
    this.#patch = patch;
    this.#old = old;
    this.#at = patch.offset;
    this.#left = patch.length;
    this.#size = size;
    this.#rest = size;
  }

  /** Reads records until one makes something. False at the end of the new file. */
  begins(): boolean {
    while (this.#diff + this.#extra === 0) {
      this.#oldAt += this.#seek;
      this.#seek = 0;
      if (this.#rest === 0) return false;
      this.#readRecord();
    }
    return true;
  }

  #readRecord(): void {
    if (this.#left < RECORD_SIZE) throw this.#fail(`ends after ${this.#size - this.#rest} of ${this.#size} bytes`);
    const record = this.#patch.bytes.bytes(this.#at, RECORD_SIZE);
    const diff = readNumber(record, 0);
    const extra = readNumber(record, NUMBER_SIZE);
    const seek = readNumber(record, 2 * NUMBER_SIZE);
    if (diff < 0 || extra < 0) throw this.#fail(`negative size ${Math.min(diff, extra)}`);
    if (diff + extra > this.#rest)
      throw this.#fail(`${diff + extra} bytes more, but only ${this.#rest} are left to be made`);
    this.#at += RECORD_SIZE;
    this.#left -= RECORD_SIZE;
    if (diff + extra > this.#left)
      throw this.#fail(`${diff + extra} bytes of a record, the patch has ${this.#left} left`);
    const next = this.#oldAt + diff + seek;
    if (!Number.isSafeInteger(next)) throw this.#fail(`position ${next} in the old file`);
    this.#diff = diff;
    this.#extra = extra;
    this.#seek = seek;
  }

  /** Makes as much as there is room for, and gives its length. */
  make(into: Uint8Array, offset: number, room: number): number {
    let made = 0;
    while (made < room && this.begins()) {
      const { bytes } = this.#patch;
      const isDiff = this.#diff > 0;
      const count = Math.min(isDiff ? this.#diff : this.#extra, room - made);
      const piece = bytes.bytes(this.#at, count);
      if (isDiff) {
        addOld(into, offset + made, piece, this.#old, this.#oldAt);
        this.#diff -= count;
        this.#oldAt += count;
      } else {
        into.set(piece, offset + made);
        this.#extra -= count;
      }
      this.#at += count;
      this.#left -= count;
      this.#rest -= count;
      made += count;
    }
    return made;
  }

  #fail(problem: string): FormatError {
    const { format, field, offset } = this.#patch;
    return new FormatError(format, `${field}.patch`, `bsdiff patch failed: ${problem}`, this.#at - offset);
  }
}

/** Puts the sum of `diff` and the old file's bytes at `oldAt` into the new file. */
function addOld(into: Uint8Array, offset: number, diff: Uint8Array, old: ByteWindow, oldAt: number): void {
  const start = Math.max(oldAt, 0);
  const stop = Math.min(oldAt + diff.length, old.size);
  if (stop - start < diff.length) into.fill(0, offset, offset + diff.length);
  if (start < stop) into.set(old.bytes(start, stop - start), offset + start - oldAt);
  addBytes(into, offset, diff);
}

/** Most differences are zeros, which are passed over by fours where that is aligned. */
function addBytes(into: Uint8Array, offset: number, diff: Uint8Array): void {
  const { buffer, byteOffset, length } = diff;
  const head = Math.min(-byteOffset & 3, length);
  const tail = length - ((length - head) & 3);
  addEach(into, offset, diff, 0, head);
  const words = new Int32Array(buffer, head < tail ? byteOffset + head : 0, (tail - head) / 4);
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== 0) addEach(into, offset, diff, head + 4 * i, head + 4 * i + 4);
  }
  addEach(into, offset, diff, tail, length);
}

function addEach(into: Uint8Array, offset: number, diff: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) into[offset + i] = into[offset + i]! + diff[i]!;
}

function readNumber(bytes: Uint8Array, at: number): number {
  const low = readWord(bytes, at);
  const high = readWord(bytes, at + 4);
  const magnitude = (high & 0x7fff_ffff) * 0x1_0000_0000 + low;
  return high >= 0x8000_0000 ? -magnitude : magnitude;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
