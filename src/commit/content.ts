/**
 * The content of a commit stream: every OSTree object of one commit in one blob, found by binary search.
 *
 * | offset     | size   | what                                                                                            |
 * |------------|--------|-------------------------------------------------------------------------------------------------|
 * | 0          | 4      | index of the commit object in the id table                                                       |
 * | 4          | 4      | flags: bit 0 for a partial commit, of which objects are missing                                  |
 * | 8          | 1024   | 256 bucket ends: entry b is the number of ids whose first byte is at most b                      |
 * | 1032       | 32 · n | object ids (OSTree checksums), strictly ascending                                                |
 * | 1032 + 32n | 12 · n | object info in the same order: data offset / 8, data length, index into the stream's object refs |
 * | 1032 + 44n | …      | data of the objects in id order, each followed by zeros up to a multiple of 8                    |
 *
 * Integers are u32, little-endian. The data of a commit, dirtree or dirmeta is its bytes; that of a file is its archive header,
 * then its content unless that is an object of the repository. Nothing tells an object's type: it follows from the commit's
 * graph. Not contained: parent commits, detached metadata.
 */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { struct, u32, viewOf } from '../../bytes/struct.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { digestSize, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';

/** One OSTree object as a commit stream holds it. */
export interface StoredObject {
  readonly data: Uint8Array;
  /** The repository's object with the content of a large file. */
  readonly object: ObjectId | undefined;
}

const FORMAT = 'commit stream';
const header = struct('commit stream header', 8, { commitIndex: [0, u32], flags: [4, u32] });
const objectInfo = struct('commit stream object info', 12, {
  dataBlock: [0, u32],
  dataLength: [4, u32],
  objectRef: [8, u32],
});
const BUCKETS_AT = header.size;
const IDS_AT = BUCKETS_AT + 256 * 4;
const ID_SIZE = 32;
const ALIGNMENT = 8;
const NO_OBJECT = 0xffff_ffff;
/** Ours: composefs-rs writes no flags, ignores them, and fails where it misses an object. */
const PARTIAL = 1;

/** Content of at most this many bytes lies in the commit stream, larger content is an object. */
export function inlineLimit(algorithm: HashAlgorithm): number {
  return 2 * digestSize(algorithm);
}

function align(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** Lays out the objects of one commit; `objectRefs` belong into the stream's table in this order. */
export function encodeContent(
  commit: OstreeChecksum,
  objects: ReadonlyMap<OstreeChecksum, StoredObject>,
  partial = false,
): { readonly content: Uint8Array; readonly objectRefs: readonly ObjectId[] } {
  const ids = [...objects.keys()].sort();
  const infoAt = IDS_AT + ids.length * ID_SIZE;
  const areaAt = infoAt + ids.length * objectInfo.size;
  let areaSize = 0;
  for (const { data } of objects.values()) areaSize += align(data.length);
  if (areaSize / ALIGNMENT > NO_OBJECT) {
    throw new CfsError('LIMIT', `Cannot store commit ${commit}: ${areaSize} bytes of metadata, the most is 32 GiB`);
  }
  const content = Buffer.alloc(areaAt + areaSize);
  const view = viewOf(content);
  const refs = new Map<ObjectId, number>();
  let offset = 0;
  for (const [i, id] of ids.entries()) {
    const { data, object } = objects.get(id)!;
    content.write(id, IDS_AT + i * ID_SIZE, 'hex');
    content.set(data, areaAt + offset);
    let objectRef = NO_OBJECT;
    if (object !== undefined) {
      objectRef = refs.get(object) ?? refs.size;
      refs.set(object, objectRef);
    }
    view.setUint32(infoAt + i * objectInfo.size, offset / ALIGNMENT, true);
    view.setUint32(infoAt + i * objectInfo.size + 4, data.length, true);
    view.setUint32(infoAt + i * objectInfo.size + 8, objectRef, true);
    offset += align(data.length);
  }
  header.write(view, 0, { commitIndex: ids.indexOf(commit), flags: partial ? PARTIAL : 0 });
  for (let bucket = 0, count = 0; bucket < 256; bucket++) {
    while (count < ids.length && content[IDS_AT + count * ID_SIZE] === bucket) count++;
    view.setUint32(BUCKETS_AT + bucket * 4, count, true);
  }
  return { content, objectRefs: [...refs.keys()] };
}

/** The decoded content; data is given as views. Everything but the data is checked when it is made. */
export class CommitContent {
  readonly commit: OstreeChecksum;
  /** True for a commit that was pulled in part: objects that its tree names may be missing. */
  readonly partial: boolean;
  /** Number of objects. */
  readonly size: number;
  readonly #content: Buffer;
  readonly #view: DataView;
  readonly #objectRefs: readonly ObjectId[];
  readonly #infoAt: number;
  readonly #areaAt: number;

  /** @throws FormatError */
  constructor(content: Uint8Array, objectRefs: readonly ObjectId[]) {
    const view = viewOf(content);
    if (content.length < IDS_AT) throw new FormatError(FORMAT, 'buckets', `only ${content.length} bytes`, 0);
    let count = 0;
    for (let bucket = 0; bucket < 256; bucket++) {
      const end = view.getUint32(BUCKETS_AT + bucket * 4, true);
      if (end < count) throw new FormatError(FORMAT, 'buckets', 'decreasing', BUCKETS_AT + bucket * 4);
      count = end;
    }
    this.size = count;
    this.#infoAt = IDS_AT + count * ID_SIZE;
    this.#areaAt = this.#infoAt + count * objectInfo.size;
    if (this.#areaAt > content.length) throw new FormatError(FORMAT, 'ids', `${count} objects do not fit`, IDS_AT);
    this.#content = Buffer.from(content.buffer, content.byteOffset, content.length);
    this.#view = view;
    this.#objectRefs = objectRefs;
    this.#checkIds();
    for (let i = 0; i < count; i++) this.#checkInfo(i);
    const { commitIndex, flags } = header.read(view);
    if (commitIndex >= count) throw new FormatError(FORMAT, 'commitIndex', `${commitIndex} of ${count} objects`, 0);
    this.commit = this.#id(commitIndex);
    this.partial = (flags & PARTIAL) !== 0;
  }

  /** All bytes that are held in memory. */
  get byteLength(): number {
    return this.#content.length;
  }

  /** Few steps for each id: this is the first thing that runs, when nothing is compiled yet. */
  #checkIds(): void {
    let at = IDS_AT;
    let before = -1;
    for (let bucket = 0; bucket < 256; bucket++) {
      for (const end = IDS_AT + this.#bucketEnd(bucket) * ID_SIZE; at < end; at += ID_SIZE) {
        const prefix = this.#view.getUint32(at);
        if (prefix <= before && compareIds(this.#content, at - ID_SIZE, this.#content, at) >= 0) {
          throw new FormatError(FORMAT, 'ids', 'not ascending', at);
        }
        if (prefix >>> 24 !== bucket) throw new FormatError(FORMAT, 'ids', 'in the wrong bucket', at);
        before = prefix;
      }
    }
  }

  #bucketStart(bucket: number): number {
    return bucket === 0 ? 0 : this.#bucketEnd(bucket - 1);
  }

  #bucketEnd(bucket: number): number {
    return this.#view.getUint32(BUCKETS_AT + bucket * 4, true);
  }

  #id(i: number): OstreeChecksum {
    const at = IDS_AT + i * ID_SIZE;
    return this.#content.toString('hex', at, at + ID_SIZE) as OstreeChecksum;
  }

  #checkInfo(i: number): void {
    const at = this.#infoAt + i * objectInfo.size;
    const start = this.#areaAt + this.#view.getUint32(at, true) * ALIGNMENT;
    const length = this.#view.getUint32(at + 4, true);
    const objectRef = this.#view.getUint32(at + 8, true);
    if (start + length > this.#content.length) throw new FormatError(FORMAT, 'object info', 'data out of bounds', at);
    if (objectRef !== NO_OBJECT && objectRef >= this.#objectRefs.length) {
      throw new FormatError(FORMAT, 'object info', `object ref ${objectRef} of ${this.#objectRefs.length}`, at + 8);
    }
  }

  #at(i: number): StoredObject {
    const at = this.#infoAt + i * objectInfo.size;
    const start = this.#areaAt + this.#view.getUint32(at, true) * ALIGNMENT;
    const length = this.#view.getUint32(at + 4, true);
    const objectRef = this.#view.getUint32(at + 8, true);
    const { buffer, byteOffset } = this.#content;
    return { data: new Uint8Array(buffer, byteOffset + start, length), object: this.#objectRefs[objectRef] };
  }

  /** The object with this checksum, if the commit has it. */
  get(checksum: OstreeChecksum): StoredObject | undefined {
    const prefix = Number.parseInt(checksum.slice(0, 8), 16);
    const bucket = prefix >>> 24;
    let low = this.#bucketStart(bucket);
    let high = this.#bucketEnd(bucket);
    // The first of the ids that begin with the same four bytes; hardly ever are there two.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#view.getUint32(IDS_AT + middle * ID_SIZE) < prefix) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < this.size && this.#view.getUint32(IDS_AT + i * ID_SIZE) === prefix; i++) {
      if (this.#id(i) === checksum) return this.#at(i);
    }
    return undefined;
  }

  /** All objects in ascending order of their checksums. */
  *entries(): Generator<readonly [OstreeChecksum, StoredObject]> {
    for (let i = 0; i < this.size; i++) yield [this.#id(i), this.#at(i)];
  }
}

function compareIds(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): number {
  for (let i = 0; i < ID_SIZE; i++) {
    const difference = a[aOffset + i]! - b[bOffset + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
