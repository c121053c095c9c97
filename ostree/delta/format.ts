/**
 * Static deltas: all that turns one stored commit (or nothing) into another, in a superblock and a few compressed parts.
 *
 * | file                                                  | what                                                          |
 * |-------------------------------------------------------|---------------------------------------------------------------|
 * | `deltas/XX/REST-TO/superblock`, `deltas/XX/REST/…`    | the superblock of a delta between commits, or from nothing    |
 * | `…/0`, `…/1` …                                        | its parts, unless they lie in the superblock ("inline")       |
 * | `delta-indexes/XX/REST.index`                         | the deltas to one commit, with the digests of their superblocks |
 *
 * `XX` and `REST` are the first two and the other 41 characters of a checksum in modified base64. Numbers are 64 bits.
 *
 * A part file is one byte of compression and the payload. Its operations make the objects that the superblock lists for the part, in
 * that order, from the payload's blob and from files of the older commit.
 */
import { checksumBytes, type OstreeChecksum } from '../checksum.ts';

/**
 * Metadata, time (big-endian), FROM (or nothing), TO, the commit object of TO, prerequisites (unused), parts: version, digest,
 * size, size of what it makes, objects; fallbacks: object number, checksum, size, uncompressed size.
 */
export const SUPERBLOCK_TYPE = '(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))';
/** Mode table (uid, gid, mode, big-endian), xattr table, blob, operations. */
export const PAYLOAD_TYPE = '(a(uuu)aa(ayay)ayay)';
export const INDEX_TYPE = 'a{sv}';
/** Magic, superblock, signatures. */
export const SIGNED_TYPE = '(taya{sv})';
/** `OSTSGNDT`, the first bytes of a signed superblock. */
export const SIGNED_MAGIC = 'OSTSGNDT';

/** Keys of a superblock's metadata and of an index. */
export const DeltaKey = {
  /** `y`: the byte order of the sizes of parts and fallbacks. */
  endianness: 'ostree.endianness',
  /** In an index: `a{sv}`, delta name to digest of the superblock file. */
  staticDeltas: 'ostree.static-deltas',
} as const;

/** Values of the endianness key. */
export const Endianness = { little: 0x6c, big: 0x42 } as const;

/** The only version of parts there is. */
export const PART_VERSION = 0;

/** The first byte of a part file. */
export const Compression = { none: 0x00, xz: 0x78 } as const;

/** Opcodes. Operands are varints; all offsets and lengths mean the blob, or the content of the read source. */
export const Op = {
  /** Metadata: length, offset. A file: mode index, xattr index, length, offset. */
  openSpliceClose: 0x53,
  /** Mode index, xattr index, content size. */
  open: 0x6f,
  /** Length, offset. */
  write: 0x77,
  /** Offset of the 32 bytes that name a file of FROM. */
  setReadSource: 0x72,
  unsetReadSource: 0x52,
  close: 0x63,
  /** Offset, length: of a patch, which the read source is the old file of. */
  bspatch: 0x42,
} as const;

/** Bytes of one object in a part's list: its number and checksum. */
export const LISTED_OBJECT_SIZE = 33;
/** Bytes of one entry of the mode table. */
export const MODE_ENTRY_SIZE = 12;

export const MAX_SUPERBLOCK_SIZE = 128 * 1024 * 1024;
/** Memory of the XZ decoder. Preset 9 needs two thirds of it. */
export const XZ_MEMORY_LIMIT = 100 * 1024 * 1024;

/** A checksum as it appears in paths: base64 without padding, `_` in place of `/`. */
function modifiedBase64(checksum: OstreeChecksum): string {
  return Buffer.from(checksumBytes(checksum)).toString('base64').slice(0, 43).replaceAll('/', '_');
}

function split(base64: string): string {
  return `${base64.slice(0, 2)}/${base64.slice(2)}`;
}

/** The folder of a delta, from the root of the repository; also the beginning of its keys in the superblock. */
export function deltaFolder(from: OstreeChecksum | undefined, to: OstreeChecksum): string {
  if (from === undefined) return `deltas/${split(modifiedBase64(to))}`;
  return `deltas/${split(modifiedBase64(from))}-${modifiedBase64(to)}`;
}

/** The file that lists the deltas to a commit. */
export function deltaIndexPath(to: OstreeChecksum): string {
  return `delta-indexes/${split(modifiedBase64(to))}.index`;
}

/** `FROM-TO` or `TO`, as summaries, indexes and messages have it. */
export function deltaName(from: OstreeChecksum | undefined, to: OstreeChecksum): string {
  return from === undefined ? to : `${from}-${to}`;
}
