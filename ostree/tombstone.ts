/**
 * `tombstone-commit` objects: GVariant `a{sv}` with one key `commit` of type `ay`, the hex checksum of a deleted commit and a
 * NUL. They are named after that commit and not hashed.
 */
import { FormatError } from '../bytes/errors.ts';
import { encode } from '../gvariant/src/encode.ts';
import { isChecksum, type OstreeChecksum } from './checksum.ts';
import { decodeCommitMeta, metadataValue } from './metadata.ts';

/** The commit that was deleted; `FormatError`. */
export function decodeTombstone(bytes: Uint8Array, checksum?: OstreeChecksum): OstreeChecksum {
  const format = checksum === undefined ? 'tombstone-commit' : `tombstone-commit ${checksum}`;
  const value = metadataValue(decodeCommitMeta(bytes, checksum), 'commit', 'ay');
  const text = value === undefined ? '' : Buffer.from(value).toString('latin1');
  const commit = text.slice(0, -1);
  if (!text.endsWith('\0') || !isChecksum(commit)) {
    throw new FormatError(format, 'commit', 'not a checksum of 64 hex digits and a NUL');
  }
  return commit;
}

export function encodeTombstone(commit: OstreeChecksum): Uint8Array {
  return encode('a{sv}', [['commit', { type: 'ay', value: Buffer.from(`${commit}\0`) }]]);
}
