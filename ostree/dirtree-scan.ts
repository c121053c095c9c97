/**
 * The quick way through the bytes of a dirtree, GVariant `(a(say)a(sayay))`: a pull reads thousands, most of them twice. It gives
 * nothing for whatever is not normal form, and leaves it to the generic decoder to say why; the tests lay both beside each other.
 * No alignment is involved: every member has alignment 1.
 */
import { isUtf8 } from 'node:buffer';
import { CHECKSUM_BYTES, type OstreeChecksum } from './checksum.ts';
import type { DirTree, TreeDirectory, TreeFile } from './dirtree.ts';
import { offsetWidth, readOffset, widthFor } from './xattrs.ts';

/** The entries, their names not checked but for being text; undefined if the bytes are not normal form. */
export function scanDirTree(bytes: Uint8Array): DirTree | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const width = offsetWidth(bytes.length);
  const end = bytes.length - width;
  if (end < 0 || widthFor(end, 1) !== width) return undefined;
  const middle = readOffset(bytes, end, width);
  if (middle > end) return undefined;
  const files: TreeFile[] = [];
  const directories: TreeDirectory[] = [];
  const isNormal =
    scanArray(bytes, 0, middle, (start, stop) => {
      const found = scanEntry(buffer, start, stop, 1);
      if (found === undefined) return false;
      const { name, at } = found;
      files.push({ name, checksum: buffer.toString('hex', at, at + CHECKSUM_BYTES) as OstreeChecksum });
      return true;
    }) &&
    scanArray(bytes, middle, end, (start, stop) => {
      const found = scanEntry(buffer, start, stop, 2);
      if (found === undefined) return false;
      const { name, at } = found;
      const tree = buffer.toString('hex', at, at + CHECKSUM_BYTES) as OstreeChecksum;
      const meta = buffer.toString('hex', at + CHECKSUM_BYTES, at + 2 * CHECKSUM_BYTES) as OstreeChecksum;
      directories.push({ name, tree, meta });
      return true;
    });
  return isNormal ? { files, directories } : undefined;
}

/** Gives the bounds of each element to `visit`, until that or the table of offsets is not in order. */
function scanArray(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (start: number, end: number) => boolean,
): boolean {
  const size = end - start;
  if (size === 0) return true;
  const width = offsetWidth(size);
  const body = size < width ? -1 : readOffset(bytes, end - width, width);
  const count = (size - body) / width;
  if (body < 0 || count < 1 || !Number.isInteger(count) || widthFor(body, count) !== width) return false;
  let previous = start;
  for (let i = 0; i < count; i++) {
    const stop = start + readOffset(bytes, start + body + i * width, width);
    if (stop < previous || stop > start + body || !visit(previous, stop)) return false;
    previous = stop;
  }
  return true;
}

/** A name and `checksums` checksums of 32 bytes, which begin at `at`. */
function scanEntry(
  buffer: Buffer,
  start: number,
  end: number,
  checksums: 1 | 2,
): { readonly name: string; readonly at: number } | undefined {
  const size = end - start;
  const width = offsetWidth(size);
  const body = size - checksums * width;
  if (body < 0 || widthFor(body, checksums) !== width) return undefined;
  const nameEnd = readOffset(buffer, end - width, width);
  if (nameEnd < 1 || nameEnd + checksums * CHECKSUM_BYTES !== body) return undefined;
  if (checksums === 2 && readOffset(buffer, end - 2 * width, width) !== nameEnd + CHECKSUM_BYTES) return undefined;
  const at = start + nameEnd;
  if (buffer[at - 1] !== 0 || !isUtf8(buffer.subarray(start, at))) return undefined;
  const name = buffer.toString('utf8', start, at - 1);
  return name.includes('\0') ? undefined : { name, at };
}
