/**
 * The kinds of OSTree objects, their numbers and their paths inside a repository.
 *
 * An object is stored at `objects/xx/yyyy….TYPE`, where `xx` are the first two digits of its checksum. Archive repositories
 * append a `z` to every type that is not metadata, in practice `.filez`.
 */
import type { OstreeChecksum } from './checksum.ts';

/** Object numbers as they appear in delta tables and in `ostree.sizes`. */
export const objectNumbers = {
  file: 1,
  dirtree: 2,
  dirmeta: 3,
  commit: 4,
  'tombstone-commit': 5,
  commitmeta: 6,
  'payload-link': 7,
  'file-xattrs': 8,
  'file-xattrs-link': 9,
} as const;

export type ObjectType = keyof typeof objectNumbers;

/** Objects whose stored bytes are their checksum's content. */
export type HashedMetadataType = 'commit' | 'dirtree' | 'dirmeta';

/** Objects that are stored as they are in every mode; the last two are named after a commit and not hashed. */
export type MetadataType = HashedMetadataType | 'commitmeta' | 'tombstone-commit';

/** The largest metadata object that is read, 128 MiB. */
export const MAX_METADATA_SIZE = 128 * 1024 * 1024;

const types = Object.keys(objectNumbers) as ObjectType[];
const typesByNumber = new Map<number, ObjectType>(types.map((type) => [objectNumbers[type], type]));

/** The type with this number, if there is one. */
export function objectTypeOf(number: number): ObjectType | undefined {
  return typesByNumber.get(number);
}

export function isMetadataType(type: ObjectType): type is MetadataType {
  const number = objectNumbers[type];
  return number >= objectNumbers.dirtree && number <= objectNumbers.commitmeta;
}

/** `COMMIT.commit`, the way an object is named in messages. */
export function objectName(type: ObjectType, checksum: OstreeChecksum): string {
  return `${checksum}.${type}`;
}

/** The path below `objects/`; `archive` for archive repositories and for everything that HTTP serves. */
export function loosePath(type: ObjectType, checksum: OstreeChecksum, archive: boolean): string {
  const z = archive && !isMetadataType(type) ? 'z' : '';
  return `${checksum.slice(0, 2)}/${checksum.slice(2)}.${type}${z}`;
}
