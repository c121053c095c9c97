/** The objects that a part makes: 33 bytes each, number and checksum. */
import { FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { CHECKSUM_BYTES } from '../checksum.ts';
import { objectTypeOf, type HashedMetadataType } from '../object-type.ts';
import { LISTED_OBJECT_SIZE } from './format.ts';

/** Types of objects that a delta may make. */
export type ListedType = HashedMetadataType | 'file';

export interface ListedObject {
  readonly type: ListedType;
  readonly checksum: OstreeChecksum;
}

/** The type with this number. @throws FormatError for one that no delta makes. */
export function listedType(number: number, format: string, field: string): ListedType {
  const type = objectTypeOf(number);
  if (type === 'file' || type === 'dirtree' || type === 'dirmeta' || type === 'commit') return type;
  throw new FormatError(format, field, `Invalid object type '${number}'`);
}

/** A list, each object decoded when it is asked for. */
export class ListedObjects implements Iterable<ListedObject> {
  readonly length: number;
  readonly #bytes: Buffer;

  /** @throws FormatError */
  constructor(bytes: Uint8Array, format: string, field: string) {
    if (bytes.length % LISTED_OBJECT_SIZE !== 0) {
      throw new FormatError(format, field, `Invalid checksum array length ${bytes.length}`);
    }
    this.length = bytes.length / LISTED_OBJECT_SIZE;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i < this.length; i++) listedType(bytes[i * LISTED_OBJECT_SIZE]!, format, `${field}[${i}].type`);
  }

  /** @throws RangeError beyond the end. */
  at(index: number): ListedObject {
    const at = index * LISTED_OBJECT_SIZE;
    const type = objectTypeOf(this.#bytes.readUInt8(at)) as ListedType;
    return { type, checksum: this.#bytes.toString('hex', at + 1, at + 1 + CHECKSUM_BYTES) as OstreeChecksum };
  }

  *[Symbol.iterator](): Generator<ListedObject, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }
}
