/**
 * Patches as the operation `bspatch` reads them: records without any frame, each of three 8-byte integers (little-endian, the top bit
 * for a negative one): the length of a difference, the length of new bytes, and how far to move in the old file after them; then the
 * bytes of the difference to the old file, then the new ones.
 */
import type { Alignment } from './align.ts';

const RECORD_HEAD = 24;

function writeInteger(view: DataView, at: number, value: number): void {
  const size = Math.abs(value);
  view.setUint32(at, size % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(size / 2 ** 32) + (value < 0 ? 2 ** 31 : 0), true);
}

/** The patch that turns `source` into `target`, given how they align: `target.length` bytes, and 24 for each record. */
export function encodePatch(source: Uint8Array, target: Uint8Array, alignments: readonly Alignment[]): Uint8Array {
  const first = alignments[0];
  // Patches begin at the start of both files.
  const leading = first?.start === 0 && first.source === 0 ? [] : [{ start: 0, length: 0, source: 0 }];
  const records = target.length === 0 ? [] : [...leading, ...alignments];
  const out = new Uint8Array(target.length + records.length * RECORD_HEAD);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [i, { start, length, source: from }] of records.entries()) {
    const next = records[i + 1];
    const end = start + length;
    const extra = (next?.start ?? target.length) - end;
    writeInteger(view, at, length);
    writeInteger(view, at + 8, extra);
    writeInteger(view, at + 16, next === undefined ? 0 : next.source - (from + length));
    at += RECORD_HEAD;
    for (let n = 0; n < length; n++) out[at + n] = target[start + n]! - source[from + n]!;
    at += length;
    out.set(target.subarray(end, end + extra), at);
    at += extra;
  }
  return out;
}
