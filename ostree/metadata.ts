/**
 * Dictionaries of metadata, GVariant `a{sv}`: the first member of a commit, and the whole of a `commitmeta` object (detached
 * metadata: signatures, which may change after the commit was made). Order and unknown keys are kept.
 */
import { CfsError, FormatError } from '../bytes/errors.ts';
import { lookup } from '../gvariant/src/decode.ts';
import { Variant, type Decoded } from '../gvariant/src/value.ts';
import type { OstreeChecksum } from './checksum.ts';
import { decodeNormal } from './variant.ts';

/** Key and value in the order of the writer. Numbers inside are in little-endian order, whatever the key means by them. */
export type Metadata = readonly (readonly [key: string, value: Variant])[];

/** The value of the first entry `key` if it has just this type; otherwise undefined, as if the key were absent. */
export function metadataValue<const Text extends string>(
  metadata: Metadata,
  key: string,
  type: Text,
): Decoded<Text> | undefined {
  return lookup(metadata, key, type);
}

/** Entries of a dictionary: more than any writer makes, few enough for memory and time. */
const MAX_ENTRIES = 131_072;

/** Takes over decoded entries. @throws FormatError for an empty key, CfsError LIMIT for more than 131,072 entries. */
export function checkMetadata(entries: Iterable<readonly [string, Variant]>, format: string, field: string): Metadata {
  const metadata: (readonly [string, Variant])[] = [];
  for (const entry of entries) {
    if (metadata.length === MAX_ENTRIES) {
      const facts = { field, limit: MAX_ENTRIES };
      throw new CfsError('LIMIT', `Cannot read ${field} of ${format}: more than ${MAX_ENTRIES} entries`, facts);
    }
    metadata.push(entry);
  }
  const empty = metadata.findIndex(([key]) => key === '');
  if (empty !== -1) throw new FormatError(format, `${field}[${empty}]`, 'Empty metadata key');
  return metadata;
}

/** Decodes the detached metadata of a commit; no bytes are an empty dictionary. The checksum is only for messages. */
export function decodeCommitMeta(bytes: Uint8Array, checksum?: OstreeChecksum): Metadata {
  const format = checksum === undefined ? 'commitmeta' : `commitmeta ${checksum}`;
  return checkMetadata(decodeNormal('a{sv}', bytes, format), format, 'metadata');
}
