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
import { viewOf } from '../../bytes/struct.ts';
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
  const { bytes, format, field } = patch;
  const end = patch.offset + patch.length;
  let at = patch.offset;
  let oldAt = 0;
  let made = 0;
  const fail = (problem: string): FormatError =>
    new FormatError(format, `${field}.patch`, `bsdiff patch failed: ${problem}`, at - patch.offset);
  while (made < size) {
    if (end - at < RECORD_SIZE) throw fail(`ends after ${made} of ${size} bytes`);
    const record = viewOf(bytes.bytes(at, RECORD_SIZE));
    const [diff, extra, seek] = [0, 1, 2].map((i) => readNumber(record, i * NUMBER_SIZE)) as [number, number, number];
    if (diff < 0 || extra < 0) throw fail(`negative size ${Math.min(diff, extra)}`);
    if (diff + extra > size - made)
      throw fail(`${diff + extra} bytes more, but only ${size - made} are left to be made`);
    at += RECORD_SIZE;
    if (diff + extra > end - at) throw fail(`${diff + extra} bytes of a record, the patch has ${end - at} left`);
    if (!Number.isSafeInteger(oldAt + diff + seek)) throw fail(`position ${oldAt + diff + seek} in the old file`);
    for (let left = diff; left > 0;) {
      let count = 0;
      yield (into, offset, room) => {
        count = Math.min(left, room, PIECE);
        into.set(bytes.bytes(at, count), offset);
        addOld(into, offset, count, old, oldAt);
        return count;
      };
      left -= count;
      at += count;
      oldAt += count;
      made += count;
    }
    for (let left = extra; left > 0;) {
      let count = 0;
      yield (into, offset, room) => {
        count = Math.min(left, room, PIECE);
        into.set(bytes.bytes(at, count), offset);
        return count;
      };
      left -= count;
      at += count;
      made += count;
    }
    oldAt += seek;
  }
}

function addOld(into: Uint8Array, offset: number, length: number, old: ByteWindow, oldAt: number): void {
  const start = Math.max(oldAt, 0);
  const stop = Math.min(oldAt + length, old.size);
  if (start >= stop) return;
  const source = old.bytes(start, stop - start);
  const shift = offset + start - oldAt;
  for (let i = 0; i < source.length; i++) into[shift + i] = into[shift + i]! + source[i]!;
}

function readNumber(view: DataView, at: number): number {
  const low = view.getUint32(at, true);
  const high = view.getUint32(at + 4, true);
  const magnitude = (high & 0x7fff_ffff) * 0x1_0000_0000 + low;
  return high >= 0x8000_0000 ? -magnitude : magnitude;
}
