/**
 * `ostree.sizes` in the metadata of a commit, GVariant `aay`: how large the objects of its tree are. Written by
 * `ostree commit --generate-sizes`. One entry for each dirtree, dirmeta and file, ascending by checksum:
 *
 * | size   | what                                                                                     |
 * |--------|------------------------------------------------------------------------------------------|
 * | 32     | checksum                                                                                 |
 * | varint | bytes of the object as an archive repository stores it                                   |
 * | varint | bytes of its content: of a symlink those of its target; of metadata those of the object  |
 * | 1      | number of its type; not there in old commits, where it is a file                         |
 *
 * Nothing verifies the numbers: they serve for estimates alone.
 */
import { FormatError } from '../bytes/errors.ts';
import { checksumFromBytes, type OstreeChecksum } from './checksum.ts';
import { decodeVarint } from './delta/varint.ts';
import { metadataValue, type Metadata } from './metadata.ts';
import { objectNumbers, objectTypeOf, type ObjectType } from './object-type.ts';

export interface ObjectSize {
  readonly type: ObjectType;
  /** Bytes that an archive repository stores, and serves. */
  readonly archived: number;
  /** Bytes of content. */
  readonly unpacked: number;
}

const FORMAT = 'ostree.sizes';
const CHECKSUM_SIZE = 32;

/** The sizes of a commit's objects; undefined if its metadata have none. @throws FormatError */
export function decodeSizes(metadata: Metadata): ReadonlyMap<OstreeChecksum, ObjectSize> | undefined {
  const entries = metadataValue(metadata, FORMAT, 'aay');
  if (entries === undefined) return undefined;
  const sizes = new Map<OstreeChecksum, ObjectSize>();
  let previous = '';
  let i = 0;
  for (const entry of entries) {
    const [checksum, size] = decodeEntry(entry, `[${i++}]`);
    if (checksum <= previous) throw new FormatError(FORMAT, `[${i - 1}].checksum`, 'not ascending');
    previous = checksum;
    sizes.set(checksum, size);
  }
  return sizes;
}

function decodeEntry(entry: Uint8Array, field: string): readonly [OstreeChecksum, ObjectSize] {
  if (entry.length < CHECKSUM_SIZE) throw new FormatError(FORMAT, field, `only ${entry.length} bytes`);
  const checksum = checksumFromBytes(entry.subarray(0, CHECKSUM_SIZE));
  const archived = decodeVarint(entry, CHECKSUM_SIZE, FORMAT, `${field}.archived`);
  const unpacked = decodeVarint(entry, archived.end, FORMAT, `${field}.unpacked`);
  const rest = entry.length - unpacked.end;
  if (rest > 1) throw new FormatError(FORMAT, field, `${rest - 1} bytes too many`);
  const number = entry[unpacked.end] ?? objectNumbers.file;
  const type = objectTypeOf(number);
  if (type === undefined) throw new FormatError(FORMAT, `${field}.type`, `unknown number ${number}`);
  return [checksum, { type, archived: archived.value, unpacked: unpacked.value }];
}
