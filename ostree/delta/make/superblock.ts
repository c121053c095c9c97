/** The superblock of a delta; see format.ts. */
import { encode } from '../../../gvariant/src/encode.ts';
import { Variant } from '../../../gvariant/src/value.ts';
import { CfsError } from '../../../bytes/errors.ts';
import { checksumBytes, type OstreeChecksum } from '../../checksum.ts';
import { decodeCommitMeta } from '../../metadata.ts';
import { objectNumbers } from '../../object-type.ts';
import { decodeNormal, swap64 } from '../../variant.ts';
import { deltaFolder, DeltaKey, Endianness, MAX_SUPERBLOCK_SIZE, PART_VERSION, SUPERBLOCK_TYPE } from '../format.ts';

/** A part as the superblock lists it. */
export interface ListedPart {
  /** SHA-256 of the part file. */
  readonly checksum: OstreeChecksum;
  /** Bytes of the part file. */
  readonly size: number;
  /** Bytes of the objects that it makes. */
  readonly usize: number;
  /** 33 bytes for each object. */
  readonly objects: Uint8Array;
}

/** A file object that is fetched by itself. */
export interface ListedFallback {
  readonly checksum: OstreeChecksum;
  /** Bytes of the `.filez`. */
  readonly size: number;
  /** Bytes of its content. */
  readonly usize: number;
}

export interface SuperblockParts {
  /** Undefined for a delta from nothing. */
  readonly from: OstreeChecksum | undefined;
  readonly to: OstreeChecksum;
  /** The bytes of the object of `to`. */
  readonly commit: Uint8Array;
  /** The detached metadata of `to`, if there are any. */
  readonly commitMeta?: Uint8Array | undefined;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly parts: readonly ListedPart[];
  readonly fallbacks: readonly ListedFallback[];
  /** The part files themselves, for a delta in one file. */
  readonly inline?: readonly Uint8Array[] | undefined;
}

const COMMIT_TYPE = '(a{sv}aya(say)sstayay)';

/** @throws CfsError LIMIT for more than 128 MiB, which no reader takes. */
export function encodeSuperblock(delta: SuperblockParts): Uint8Array {
  const { from, to, commit, commitMeta, time, parts, fallbacks, inline = [] } = delta;
  const size = inline.reduce((sum, part) => sum + part.length, 0);
  if (size > MAX_SUPERBLOCK_SIZE) throw tooLarge(size);
  const folder = deltaFolder(from, to);
  const metadata: [string, Variant][] = [[DeltaKey.endianness, new Variant('y', Endianness.little)]];
  if (commitMeta !== undefined) {
    metadata.push([`${folder}/commitmeta`, new Variant('a{sv}', decodeCommitMeta(commitMeta, to))]);
  }
  for (const [i, part] of inline.entries()) {
    metadata.push([`${folder}/${i}`, new Variant('(yay)', [part[0]!, part.subarray(1)])]);
  }
  const superblock = encode(SUPERBLOCK_TYPE, [
    metadata,
    swap64(BigInt(time)),
    from === undefined ? new Uint8Array(0) : checksumBytes(from),
    checksumBytes(to),
    decodeNormal(COMMIT_TYPE, commit, `commit ${to}`),
    new Uint8Array(0),
    parts.map(({ checksum, size, usize, objects }) => {
      return [PART_VERSION, checksumBytes(checksum), BigInt(size), BigInt(usize), objects] as const;
    }),
    fallbacks.map(({ checksum, size, usize }) => {
      return [objectNumbers.file, checksumBytes(checksum), BigInt(size), BigInt(usize)] as const;
    }),
  ]);
  if (superblock.length > MAX_SUPERBLOCK_SIZE) throw tooLarge(superblock.length);
  return superblock;
}

function tooLarge(size: number): CfsError {
  return new CfsError(
    'LIMIT',
    `Cannot write the delta as one file: ${size} bytes, and readers take ${MAX_SUPERBLOCK_SIZE}; write it as a directory`,
    { size },
  );
}
