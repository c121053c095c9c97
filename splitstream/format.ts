/**
 * The split stream format of composefs (little-endian throughout): a byte stream of which some parts are stored in it,
 * compressed, and others are whole objects of the repository, named by digest.
 *
 *     header        32 bytes   where the info block is; version, algorithm
 *     info          80 bytes   where the four sections are; content type; size of the whole stream
 *     stream_refs   digests of what the named refs point to: other streams, or images
 *     object_refs   digests of the objects that the stream consists of, or needs
 *     named_refs    zstd: "<decimal index into stream_refs>:<name>\0" for each, sorted by name
 *     stream        zstd: chunks of an i64 each; n < 0: -n bytes of inline data follow; n >= 0: the content of object_refs[n]
 *
 * Ranges are absolute file offsets, start and exclusive end. Writers put the sections in the order above, without gaps; readers
 * follow the ranges. Both zstd sections are at least one frame, even when empty, and may be several.
 *
 * The format was defined by composefs-rs; its documentation is `doc/splitstream.md` there.
 */
import { bytes, struct, u16, u64, u8 } from '../bytes/struct.ts';

export const FORMAT = 'splitstream';

/** `SplitStream` in ASCII. */
export const MAGIC = Uint8Array.from(Buffer.from('SplitStream'));

export const VERSION = 0;

/** log2 of the fs-verity block size, the only one there is. */
export const LG_BLOCKSIZE = 12;

export const header = struct('splitstream header', 32, {
  magic: [0, bytes(11)],
  version: [11, u8],
  flags: [12, u16],
  algorithm: [14, u8],
  lg_blocksize: [15, u8],
  info_start: [16, u64],
  info_end: [24, u64],
});

/** The header as bootc up to 1.15 wrote it; everything behind it is the same. */
export const oldHeader = struct('splitstream header', 32, {
  info_start: [0, u64],
  info_end: [8, u64],
  flags: [16, u16],
  magic: [18, bytes(11)],
  version: [29, u8],
  algorithm: [30, u8],
  lg_blocksize: [31, u8],
});

export const info = struct('splitstream info', 80, {
  stream_refs_start: [0, u64],
  stream_refs_end: [8, u64],
  object_refs_start: [16, u64],
  object_refs_end: [24, u64],
  stream_start: [32, u64],
  stream_end: [40, u64],
  named_refs_start: [48, u64],
  named_refs_end: [56, u64],
  content_type: [64, u64],
  stream_size: [72, u64],
});

/** What a stream holds. On disk most of them read as ASCII. */
export const ContentType = {
  ostreeCommit: 0xafe138c18c463ef1n,
  ostreeSummary: 0x7972616d6d75736fn,
  ociLayer: 0x726579616c69636fn,
  ociConfig: 0x67666e6f6369636fn,
  ociManifest: 0x66696e616d69636fn,
  ociBlob: 0x626f6c625f69636fn,
} as const;

/** The hash of the digests in the tables: the one of the repository. */
export type DigestAlgorithm = 'sha256' | 'sha512';

export const algorithms: Readonly<Record<DigestAlgorithm, { number: number; size: number }>> = {
  sha256: { number: 1, size: 32 },
  sha512: { number: 2, size: 64 },
};
