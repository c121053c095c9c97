/** Checking that metadata is what its name says. */
import { ChecksumError } from '../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from './checksum.ts';
import type { HashedMetadataType } from './object-type.ts';

/** Throws a `ChecksumError` unless SHA-256 of `bytes` is `checksum`. */
export function verifyMetadataObject(type: HashedMetadataType, checksum: OstreeChecksum, bytes: Uint8Array): void {
  const actual = checksumOf(bytes);
  if (actual !== checksum) throw new ChecksumError(`${type} object`, checksum, actual);
}
