/** The headers of a composefs image, checked for features that no composefs image uses. */
import { CfsError, FormatError, UnsupportedError } from '../../bytes/errors.ts';
import { viewOf } from '../../bytes/struct.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  FEATURE_COMPAT,
  FEATURE_INCOMPAT_CHUNKED_FILE,
  FLAG_HAS_ACL,
  HEADER,
  HEADER_MAGIC,
  HEADER_VERSION,
  SUPERBLOCK,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  type ImageVersion,
} from './format.ts';

const MAX_IMAGE_SIZE = 1 << 30;

export interface ImageHeader {
  readonly version: ImageVersion;
  /** Some inode has a POSIX ACL. */
  readonly hasAcl: boolean;
  readonly rootNid: number;
  /** mtime of compact inodes. */
  readonly buildTime: bigint;
  readonly buildTimeNsec: number;
  /** Byte position from which shared xattrs are counted. */
  readonly xattrBase: number;
}

/** @throws FormatError, UnsupportedError, CfsError LIMIT */
export function readImageHeader(image: Uint8Array): ImageHeader {
  if (image.length > MAX_IMAGE_SIZE) {
    throw new CfsError('LIMIT', `Cannot read the EROFS image: ${image.length} bytes, more than ${MAX_IMAGE_SIZE}`);
  }
  if (image.length < BLOCK_SIZE) throw new FormatError('composefs image', 'size', `${image.length} bytes`);
  const view = viewOf(image);
  const header = HEADER.read(view, 0);
  if (header.magic !== HEADER_MAGIC) throw new FormatError(HEADER.name, 'magic', 'is not that of composefs', 0);
  if (header.version !== HEADER_VERSION)
    throw new UnsupportedError(`Unsupported composefs header version ${header.version}`);
  const version = header.composefsVersion;
  if (version !== 0 && version !== 1 && version !== 2) {
    throw new UnsupportedError(`Unsupported composefs version ${version}`);
  }
  const superblock = SUPERBLOCK.read(view, SUPERBLOCK_OFFSET);
  if (superblock.magic !== SUPERBLOCK_MAGIC) {
    throw new FormatError(SUPERBLOCK.name, 'magic', 'is not that of EROFS', SUPERBLOCK_OFFSET);
  }
  const unsupported =
    (superblock.featureCompat & ~FEATURE_COMPAT) !== 0 ||
    (superblock.featureIncompat & ~FEATURE_INCOMPAT_CHUNKED_FILE) !== 0 ||
    superblock.blockBits !== BLOCK_BITS ||
    superblock.extensionSlots !== 0 ||
    superblock.metaBlock !== 0 ||
    superblock.extraDevices !== 0 ||
    superblock.xattrPrefixCount !== 0 ||
    superblock.packedNid !== 0n;
  if (unsupported) throw new UnsupportedError('Unsupported EROFS image: it uses features that composefs images do not');
  return {
    version,
    hasAcl: (header.flags & FLAG_HAS_ACL) !== 0,
    rootNid: superblock.rootNid,
    buildTime: superblock.buildTime,
    buildTimeNsec: superblock.buildTimeNsec,
    xattrBase: superblock.xattrBlock * BLOCK_SIZE,
  };
}
