/** Superblocks in the envelope of `static-delta generate --sign`: GVariant `(taya{sv})`: magic, superblock, signatures. */
import { CfsError } from '../../bytes/errors.ts';
import type { Metadata } from '../metadata.ts';
import { checkMetadata } from '../metadata.ts';
import { decodeNormal } from '../variant.ts';
import { MAX_SUPERBLOCK_SIZE, SIGNED_MAGIC, SIGNED_TYPE } from './format.ts';

export interface SuperblockFile {
  /** The superblock itself. */
  readonly superblock: Uint8Array;
  /** `ostree.sign.ENGINE` to signatures over its bytes; undefined for a file without envelope. */
  readonly signatures: Metadata | undefined;
}

/** Takes the envelope off, if there is one. Signatures are not verified. @throws FormatError; CfsError LIMIT beyond 128 MiB. */
export function openSuperblockFile(bytes: Uint8Array, format: string): SuperblockFile {
  if (bytes.length > MAX_SUPERBLOCK_SIZE) {
    const problem = `Cannot decode ${format}: ${bytes.length} bytes, more than ${MAX_SUPERBLOCK_SIZE}`;
    throw new CfsError('LIMIT', problem, { size: bytes.length, limit: MAX_SUPERBLOCK_SIZE });
  }
  const magic = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SIGNED_MAGIC.length));
  if (magic.toString('latin1') !== SIGNED_MAGIC) return { superblock: bytes, signatures: undefined };
  const [, superblock, signatures] = decodeNormal(SIGNED_TYPE, bytes, format, 'signed superblock');
  return { superblock, signatures: checkMetadata(signatures, format, 'signatures') };
}
