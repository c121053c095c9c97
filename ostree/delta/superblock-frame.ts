/**
 * The members of a superblock as slices, so that an error can name the member that it is in, and the commit object keeps its very
 * bytes. The type is in format.ts; all members but the times vary in size.
 */
import { FormatError } from '../../bytes/errors.ts';
import { minimalWidth, offsetWidth, padding, readOffset } from '../../gvariant/src/frame.ts';
import { viewOf } from '../../bytes/struct.ts';

/** In order, each with its alignment. */
const members = [
  ['metadata', 8],
  ['timestamp', 8],
  ['from', 1],
  ['to', 1],
  ['commit', 8],
  ['prerequisites', 1],
  ['parts', 8],
  ['fallbacks', 8],
] as const;

const TIMESTAMP_SIZE = 8;
/** Of the members that vary in size, all but the last. */
const OFFSETS = 6;

export type SuperblockFrame = Readonly<Record<(typeof members)[number][0], Uint8Array>>;

/** Splits a superblock; data are views. @throws FormatError for what is not in normal form, but for what lies within the members. */
export function splitSuperblock(bytes: Uint8Array, format: string): SuperblockFrame {
  const width = offsetWidth(bytes.length);
  const tableAt = bytes.length - OFFSETS * width;
  if (width === 0 || tableAt < 0 || minimalWidth(tableAt, OFFSETS) !== width) {
    throw new FormatError(format, 'framing offsets', `Not normal form: ${bytes.length} bytes cannot be a superblock`);
  }
  const view = viewOf(bytes);
  const frame: Record<string, Uint8Array> = {};
  let at = 0;
  let offsets = 0;
  for (const [name, alignment] of members) {
    const start = at + padding(at, alignment);
    let end: number;
    if (name === 'timestamp') end = start + TIMESTAMP_SIZE;
    else if (offsets === OFFSETS) end = tableAt;
    else end = readOffset(view, bytes.length - ++offsets * width, width);
    if (end < start || end > tableAt) {
      throw new FormatError(format, name, `Not normal form: bad framing offset ${end}`, start);
    }
    for (let pad = at; pad < start; pad++) {
      if (bytes[pad] !== 0) throw new FormatError(format, name, 'Not normal form: padding is not zero', pad);
    }
    frame[name] = bytes.subarray(start, end);
    at = end;
  }
  return frame as SuperblockFrame;
}
