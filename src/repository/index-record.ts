/**
 * One entry of the object index (object-index.ts): what a commit stream would hold of an object.
 *
 * | offset | size | what                                                            |
 * |--------|------|-----------------------------------------------------------------|
 * | 0      | 4    | CRC-32 of all that follows, little-endian                       |
 * | 4      | 32   | the checksum that the object goes by                            |
 * | 36     | 1    | n: length of the object id, 0 for an object that is data alone  |
 * | 37     | n    | id of the repository's object with the content of a large file  |
 * | 37 + n | …    | data                                                            |
 */
import { crc32 } from 'node:zlib';
import { digestSize, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';

/** What is known of an object: its data, or of a large file its header, and the object with its content. */
export interface IndexedObject {
  readonly data: Uint8Array;
  readonly object: ObjectId | undefined;
}

const NAME_AT = 4;
const NAME_SIZE = 32;
const LENGTH_AT = NAME_AT + NAME_SIZE;
const OBJECT_AT = LENGTH_AT + 1;
const LONGEST_ID = 64;

/** Data of an object is metadata, or the header of a file, of at most 128 MiB. */
export const MAX_RECORD_SIZE = OBJECT_AT + LONGEST_ID + 128 * 1024 * 1024;

/** @param name 64 hex digits */
export function encodeRecord(name: string, { data, object }: IndexedObject): Uint8Array {
  const length = object === undefined ? 0 : object.length / 2;
  const record = Buffer.allocUnsafe(OBJECT_AT + length + data.length);
  record.write(name, NAME_AT, 'hex');
  record[LENGTH_AT] = length;
  if (object !== undefined) record.write(object, OBJECT_AT, 'hex');
  record.set(data, OBJECT_AT + length);
  record.writeUInt32LE(crc32(record.subarray(NAME_AT)), 0);
  return record;
}

/**
 * What the record holds of `name`; undefined if it is that of another name, or has the id of another algorithm.
 * @returns `damaged` for bytes that were never written as a record.
 */
export function decodeRecord(
  bytes: Uint8Array,
  name: string,
  algorithm: HashAlgorithm,
): IndexedObject | undefined | 'damaged' {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (record.length < OBJECT_AT || record.readUInt32LE(0) !== crc32(record.subarray(NAME_AT))) return 'damaged';
  const length = record[LENGTH_AT]!;
  const end = OBJECT_AT + length;
  if (end > record.length) return 'damaged';
  if (record.toString('hex', NAME_AT, LENGTH_AT) !== name) return undefined;
  if (length !== 0 && length !== digestSize(algorithm)) return undefined;
  const object = length === 0 ? undefined : (record.toString('hex', OBJECT_AT, end) as ObjectId);
  return { data: record.subarray(end), object };
}
