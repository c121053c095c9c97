/**
 * OSTree checksums: SHA-256, written as exactly 64 lower-case hex digits, stored in metadata as `ay` of 32 bytes.
 */
import { hash } from 'node:crypto';
import { CfsError, FormatError } from '../bytes/errors.ts';
import { fromHex, isHex, toHex } from '../bytes/hex.ts';

declare const brand: unique symbol;

/** The SHA-256 that names an OSTree object, 64 lower-case hex digits. */
export type OstreeChecksum = string & { readonly [brand]: 'OstreeChecksum' };

/** Bytes of a binary checksum. */
export const CHECKSUM_BYTES = 32;

/** True for 64 lower-case hex digits. */
export function isChecksum(text: string): text is OstreeChecksum {
  return isHex(text, CHECKSUM_BYTES);
}

/** The checksum that `text` is; throws a `CfsError` FORMAT with libostree's words for anything else. */
export function parseChecksum(text: string): OstreeChecksum {
  if (isChecksum(text)) return text;
  if (text.length !== 2 * CHECKSUM_BYTES) {
    throw new CfsError('FORMAT', `Invalid rev ${text.slice(0, 64).replaceAll('\n', ' ')}`, { rev: text.slice(0, 64) });
  }
  const bad = /[^0-9a-f]/u.exec(text)?.[0] ?? '';
  throw new CfsError('FORMAT', `Invalid character '${bad.codePointAt(0)}' in rev '${text}'`, { rev: text });
}

/**
 * The checksum in its binary form; `FormatError` naming `format` and `field` unless there are 32 bytes.
 */
export function checksumFromBytes(bytes: Uint8Array, format = 'OSTree checksum', field = 'bytes'): OstreeChecksum {
  if (bytes.length !== CHECKSUM_BYTES) {
    throw new FormatError(format, field, `Invalid checksum of length ${bytes.length} expected ${CHECKSUM_BYTES}`);
  }
  return toHex(bytes) as OstreeChecksum;
}

/** The 32 bytes of a checksum. */
export function checksumBytes(checksum: OstreeChecksum): Uint8Array {
  return fromHex(checksum);
}

/** SHA-256 of `bytes`. */
export function checksumOf(bytes: Uint8Array): OstreeChecksum {
  return hash('sha256', bytes) as OstreeChecksum;
}
