/** The payload of a part, `(a(uuu)aa(ayay)ayay)`, which may be larger than memory: its four members, read by range. */
import { FormatError } from '../../bytes/errors.ts';
import { minimalWidth, offsetWidth, readOffset } from '../../gvariant/src/frame.ts';
import { viewOf } from '../../bytes/struct.ts';
import type { FileHeader } from '../file-header.ts';
import { MAX_METADATA_SIZE } from '../object-type.ts';
import { decodeXattrs } from '../xattrs.ts';
import { ByteWindow, type OpenBytes } from './byte-window.ts';
import { MODE_ENTRY_SIZE } from './format.ts';

/** Of mode table, xattr table and blob. */
const OFFSETS = 3;

const members = ['mode table', 'xattr table', 'blob', 'operations'] as const;

export class Payload {
  readonly format: string;
  readonly modeCount: number;
  readonly xattrCount: number;
  readonly blob: ByteWindow;
  readonly operations: ByteWindow;
  readonly #modes: ByteWindow;
  readonly #xattrs: ByteWindow;
  /** Framing offsets of the entries of the xattr table. */
  readonly #xattrEnds: ByteWindow;
  readonly #xattrWidth: number;

  /**
   * @param format what messages call it.
   * @throws FormatError for framing that is not in normal form.
   */
  constructor(source: Uint8Array | OpenBytes, size: number, format: string) {
    this.format = format;
    const ends = framePayload(new ByteWindow(source, 0, size), 0, format);
    const member = (i: number): ByteWindow => new ByteWindow(source, ends[i - 1] ?? 0, ends[i]! - (ends[i - 1] ?? 0));
    const xattrs = member(1);
    this.#modes = member(0);
    this.blob = member(2);
    this.operations = member(3);
    this.modeCount = this.#modes.size / MODE_ENTRY_SIZE;
    if (!Number.isInteger(this.modeCount)) {
      throw new FormatError(format, 'mode table', `Not normal form: ${this.#modes.size} bytes`);
    }
    const table = frameXattrTable(xattrs, format);
    this.xattrCount = table.count;
    this.#xattrWidth = table.width;
    this.#xattrs = xattrs;
    this.#xattrEnds = new ByteWindow(source, this.#modes.size + table.at, table.count * table.width);
  }

  /** Owner and mode of an entry of the mode table. @throws FormatError naming `field` if there is no such entry. */
  mode(index: number, field: string): Pick<FileHeader, 'uid' | 'gid' | 'mode'> {
    if (index >= this.modeCount) {
      throw new FormatError(this.format, field, `Invalid mode index ${index}, the table has ${this.modeCount}`);
    }
    const view = viewOf(this.#modes.bytes(index * MODE_ENTRY_SIZE, MODE_ENTRY_SIZE));
    return { uid: view.getUint32(0), gid: view.getUint32(4), mode: view.getUint32(8) };
  }

  /** An entry of the xattr table, in memory of its own. @throws FormatError naming `field` */
  xattrs(index: number, field: string): FileHeader['xattrs'] {
    if (index >= this.xattrCount) {
      throw new FormatError(this.format, field, `Invalid xattr index ${index}, the table has ${this.xattrCount}`);
    }
    const end = this.#xattrEnd(index);
    const start = index === 0 ? 0 : this.#xattrEnd(index - 1);
    const entry = `xattr table[${index}]`;
    const most = Math.min(this.#xattrs.size - this.#xattrEnds.size, MAX_METADATA_SIZE + start);
    if (end < start || end > most)
      throw new FormatError(this.format, entry, `Not normal form: bad framing offset ${end}`);
    return decodeXattrs(this.#xattrs.copy(start, end - start), 0, end - start, this.format, 'any', entry);
  }

  #xattrEnd(index: number): number {
    const bytes = this.#xattrEnds.bytes(index * this.#xattrWidth, this.#xattrWidth);
    return readOffset(viewOf(bytes), 0, this.#xattrWidth as 1 | 2 | 4 | 8);
  }
}

/**
 * Where the members of a payload end.
 * @param tail its last bytes, of which `before` come before.
 * @throws FormatError for framing that is not in normal form.
 */
export function framePayload(tail: ByteWindow, before: number, format: string): readonly number[] {
  const size = before + tail.size;
  const width = offsetWidth(size);
  const tableAt = size - OFFSETS * width;
  if (width === 0 || tableAt < before || minimalWidth(tableAt, OFFSETS) !== width) {
    throw new FormatError(format, 'framing offsets', `Not normal form: ${size} bytes cannot be a payload`);
  }
  const ends = [...readOffsets(tail, tableAt - before, OFFSETS, width).toReversed(), tableAt];
  for (const [i, end] of ends.entries()) {
    if (end >= (ends[i - 1] ?? 0) && end <= tableAt) continue;
    throw new FormatError(format, members[i]!, `Not normal form: bad framing offset ${end}`);
  }
  return ends;
}

function readOffsets(window: ByteWindow, at: number, count: number, width: 1 | 2 | 4 | 8): number[] {
  const view = viewOf(window.bytes(at, count * width));
  return Array.from({ length: count }, (_, i) => readOffset(view, i * width, width));
}

/** Where the framing offsets of an array of variable size lie, and how many there are. */
function frameXattrTable(table: ByteWindow, format: string): { at: number; count: number; width: number } {
  const { size } = table;
  const width = offsetWidth(size);
  if (width === 0) return { at: 0, count: 0, width };
  const [at = 0] = size < width ? [size] : readOffsets(table, size - width, 1, width);
  const count = (size - at) / width;
  if (at > size - width || !Number.isInteger(count) || minimalWidth(at, count) !== width) {
    throw new FormatError(format, 'xattr table', 'Not normal form: bad framing offsets');
  }
  return { at, count, width };
}
