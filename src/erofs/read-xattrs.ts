/**
 * Reads the xattr body of one inode after the other, and tells the tree's own xattrs from those that the writer added.
 * Inodes with the same shared xattrs and no others get the same array.
 */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { viewOf } from '../../bytes/struct.ts';
import type { ByteString } from '../tree/byte-string.ts';
import { NO_XATTRS, type InodeKind, type Xattr } from '../tree/tree.ts';
import { algorithmNumber, objectIdFromBytes, type ObjectId } from '../verity/object-id.ts';
import {
  ESCAPED_PREFIX,
  METACOPY_HEADER,
  OVERLAY_PREFIX,
  XATTR_BODY,
  XATTR_ENTRY,
  XATTR_ESCAPED_OPAQUE,
  XATTR_ESCAPED_WHITEOUT,
  XATTR_ESCAPED_WHITEOUTS,
  XATTR_METACOPY,
  XATTR_PREFIXES,
  XATTR_REDIRECT,
  XATTR_USER_OPAQUE,
  XATTR_USER_WHITEOUT,
  XATTR_USER_WHITEOUTS,
} from './format.ts';
import type { ImageHeader } from './read-header.ts';

/** An entry as it is stored. */
interface Entry {
  readonly name: ByteString;
  readonly value: Buffer;
  /** Position in the shared area; -1 for one that belongs to a single inode. */
  readonly position: number;
}

interface Own {
  readonly xattrs: readonly Xattr[];
  readonly whiteout: boolean;
}

const FORMAT = 'EROFS xattrs';
const MAX_SHARED = 1_000_000;
/** Sets that are remembered. */
const MAX_KNOWN = 100_000;
const WHITEOUT_MARKERS: ReadonlySet<ByteString> = new Set([
  XATTR_ESCAPED_WHITEOUT,
  XATTR_ESCAPED_WHITEOUTS,
  XATTR_USER_WHITEOUT,
  XATTR_USER_WHITEOUTS,
]);
const NONE: Own = { xattrs: NO_XATTRS, whiteout: false };

export class XattrReader {
  readonly #buffer: Buffer;
  readonly #view: DataView;
  readonly #header: ImageHeader;
  readonly #stored: boolean;
  readonly #shared = new Map<number, Entry>();
  readonly #known = new Map<string, Own>();
  #entryEnd = 0;

  /** Of the inode read last: its own xattrs, whether it stands for a whiteout, and its content. */
  xattrs: readonly Xattr[] = NO_XATTRS;
  whiteout = false;
  digest: ObjectId | undefined;
  payload: ByteString | undefined;

  /** @param stored keep the order of the image, and markers of opaque directories. */
  constructor(image: Buffer, header: ImageHeader, stored: boolean) {
    this.#stored = stored;
    this.#buffer = image;
    this.#view = viewOf(image);
    this.#header = header;
  }

  /** Reads the body of `size` bytes at `start`, which lies in the image. */
  read(start: number, size: number, kind: InodeKind): void {
    this.xattrs = NO_XATTRS;
    this.whiteout = false;
    this.digest = undefined;
    this.payload = undefined;
    if (size === 0) return;
    const view = this.#view;
    const count = view.getUint8(start + XATTR_BODY.at.sharedCount);
    let at = start + XATTR_BODY.size;
    const end = start + size;
    if (at + 4 * count > end) throw fail('sharedCount', `${count} do not fit`, start);
    const shared: Entry[] = [];
    const own: Entry[] = [];
    let allShared = true;
    let key = kind === 'file' ? 'f' : kind === 'directory' ? 'd' : 'o';
    for (let i = 0; i < count; i++, at += 4) {
      const entry = this.#sharedEntry(view.getUint32(at, true));
      if (this.#isOwn(entry, kind)) {
        shared.push(entry);
        key += `,${entry.position}`;
      }
    }
    while (at < end) {
      const entry = this.#entry(at, end, -1);
      at = this.#entryEnd;
      if (this.#isOwn(entry, kind)) {
        own.push(entry);
        allShared = false;
      }
    }
    const entries = this.#stored ? [...own, ...shared] : [...shared, ...own];
    const result = this.#own(entries, allShared ? key : undefined, kind);
    this.xattrs = result.xattrs;
    this.whiteout = result.whiteout;
  }

  /** Takes what describes external content, and says whether the entry is something else. */
  #isOwn(entry: Entry, kind: InodeKind): boolean {
    const { name } = entry;
    if (!name.startsWith(OVERLAY_PREFIX)) return true;
    if (name === XATTR_METACOPY) {
      if (kind === 'file') this.digest = metacopyDigest(entry.value);
      return false;
    }
    if (name === XATTR_REDIRECT) {
      if (kind === 'file') this.payload = redirectPayload(entry.value);
      return false;
    }
    return name.startsWith(ESCAPED_PREFIX);
  }

  #own(entries: readonly Entry[], key: string | undefined, kind: InodeKind): Own {
    if (entries.length === 0) return NONE;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const own = this.#stored ? this.#asStored(entries, kind) : this.#restore(entries, kind);
    if (key !== undefined && this.#known.size < MAX_KNOWN) this.#known.set(key, own);
    return own;
  }

  /** Names without their escape, without the markers of whiteouts, in order; the first of a name that is there twice. */
  #restore(entries: readonly Entry[], kind: InodeKind): Own {
    const e1 = this.#header.version !== 2;
    const has = (name: ByteString): boolean => entries.some((each) => each.name === name);
    const whiteout = e1 && kind === 'file' && has(XATTR_ESCAPED_WHITEOUT);
    const whiteouts = e1 && kind === 'directory' && has(XATTR_ESCAPED_WHITEOUTS);
    const values = new Map<ByteString, Uint8Array>();
    for (const { name, value } of entries) {
      if (whiteout && (name === XATTR_ESCAPED_WHITEOUT || name === XATTR_USER_WHITEOUT)) continue;
      if (whiteouts && isDirectoryMarker(name, value, this.#header.version)) continue;
      const original = unescaped(name);
      if (!values.has(original)) values.set(original, value);
    }
    const names = [...values.keys()].sort();
    const xattrs = names.length === 0 ? NO_XATTRS : names.map((name) => ({ name, value: values.get(name)! }));
    return { xattrs, whiteout };
  }

  /** Names without their escape, and without the markers of whiteouts. */
  #asStored(entries: readonly Entry[], kind: InodeKind): Own {
    const whiteout = kind === 'file' && entries.some(({ name }) => name === XATTR_ESCAPED_WHITEOUT);
    const xattrs = entries
      .filter(({ name }) => !WHITEOUT_MARKERS.has(name))
      .map(({ name, value }) => ({ name: unescaped(name), value }));
    return { xattrs: xattrs.length === 0 ? NO_XATTRS : xattrs, whiteout };
  }

  #sharedEntry(reference: number): Entry {
    const position = this.#header.xattrBase + 4 * reference;
    let entry = this.#shared.get(position);
    if (entry === undefined) {
      entry = this.#entry(position, this.#buffer.length, position);
      if (this.#shared.size >= MAX_SHARED) {
        throw new CfsError('LIMIT', `Cannot read the EROFS image: more than ${MAX_SHARED} shared xattrs`);
      }
      this.#shared.set(position, entry);
    }
    return entry;
  }

  /** The entry at `at`; leaves its end, filled to 4 bytes, in `#entryEnd`. */
  #entry(at: number, end: number, position: number): Entry {
    if (at + XATTR_ENTRY.size > end) throw fail('entry', 'ends past its area', at);
    const nameLength = this.#view.getUint8(at + XATTR_ENTRY.at.nameLength);
    const index = this.#view.getUint8(at + XATTR_ENTRY.at.nameIndex);
    const valueSize = this.#view.getUint16(at + XATTR_ENTRY.at.valueSize, true);
    const nameStart = at + XATTR_ENTRY.size;
    const valueStart = nameStart + nameLength;
    const valueEnd = valueStart + valueSize;
    if (valueEnd > end) throw fail('entry', 'ends past its area', at);
    const prefix = XATTR_PREFIXES[index];
    if (prefix === undefined) throw fail('entry.nameIndex', `${index} is unknown`, at);
    const name = (prefix + this.#buffer.toString('latin1', nameStart, valueStart)) as ByteString;
    // A NUL inside is let through: images of composefs-rs have it for the attributes of OSTree commits.
    if (name === '') throw fail('entry.name', 'is empty', at);
    this.#entryEnd = valueEnd + ((4 - (valueEnd & 3)) & 3);
    return { name, value: this.#buffer.subarray(valueStart, valueEnd), position };
  }
}

function unescaped(name: ByteString): ByteString {
  return name.startsWith(ESCAPED_PREFIX) ? ((OVERLAY_PREFIX + name.slice(ESCAPED_PREFIX.length)) as ByteString) : name;
}

function isDirectoryMarker(name: ByteString, value: Buffer, version: number): boolean {
  if (name === XATTR_ESCAPED_WHITEOUTS || name === XATTR_USER_WHITEOUTS) return true;
  const opaque = name === XATTR_ESCAPED_OPAQUE || name === XATTR_USER_OPAQUE;
  return opaque && version >= 1 && value.length === 1 && value[0] === 0x78;
}

function metacopyDigest(value: Buffer): ObjectId | undefined {
  if (value.length === 0) return undefined;
  const { size } = METACOPY_HEADER;
  const algorithm = value.length === size + 32 ? 'sha256' : value.length === size + 64 ? 'sha512' : undefined;
  if (
    algorithm === undefined ||
    value[0] !== 0 ||
    value[1] !== value.length ||
    value[2] !== 0 ||
    value[3] !== algorithmNumber(algorithm)
  ) {
    throw fail('metacopy', `is no digest record, ${value.length} bytes`);
  }
  return objectIdFromBytes(value.subarray(size));
}

function redirectPayload(value: Buffer): ByteString | undefined {
  const text = value.toString('latin1', value[0] === 0x2f ? 1 : 0);
  if (text.includes('\0')) throw fail('redirect', 'has a NUL');
  return text === '' ? undefined : (text as ByteString);
}

function fail(field: string, problem: string, offset?: number): FormatError {
  return new FormatError(FORMAT, field, problem, offset);
}
