/**
 * Object ids: the fs-verity digest of an object's content as lower-case hex. An object is stored under its id, as
 * `objects/<first byte>/<rest>`.
 */
import { isHex, toHex } from '../../bytes/hex.ts';

/** The hash of a repository: of its object ids, Merkle trees and image digests. */
export type HashAlgorithm = 'sha256' | 'sha512';

declare const objectIdBrand: unique symbol;

/** An fs-verity digest, 64 (sha256) or 128 (sha512) lower-case hex characters. */
export type ObjectId = string & { readonly [objectIdBrand]: true };

/** Digest size in bytes. */
export function digestSize(algorithm: HashAlgorithm): 32 | 64 {
  return algorithm === 'sha256' ? 32 : 64;
}

/** The number by which fs-verity, overlayfs and splitstreams call an algorithm. */
export function algorithmNumber(algorithm: HashAlgorithm): 1 | 2 {
  return algorithm === 'sha256' ? 1 : 2;
}

/** True for the hex form of a digest of `algorithm`. */
export function isObjectId(text: string, algorithm: HashAlgorithm): text is ObjectId {
  return isHex(text, digestSize(algorithm));
}

/** The id of raw digest bytes; their number is the caller's knowledge. */
export function objectIdFromBytes(bytes: Uint8Array): ObjectId {
  return toHex(bytes) as ObjectId;
}

/** `xx/yyyy…`: where an object lies below `objects/`, and what an image's redirect xattr names. */
export function objectPath(id: ObjectId): string {
  return `${id.slice(0, 2)}/${id.slice(2)}`;
}
