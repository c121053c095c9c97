/**
 * The EROFS subset that composefs images use, as little-endian records. Sources: Linux `fs/erofs/erofs_fs.h` and the
 * composefs header in front of it.
 *
 *     0      composefs header, zero fill
 *     1024   superblock
 *     1152   inodes, each on a 32-byte slot; nid = byte offset / 32. An inode is its header, its xattr body, its tail
 *     IE     shared xattr entries, 4-byte aligned
 *     DS     data blocks in inode order; the image ends with the last one
 *
 * Blocks are 4096 bytes and all gaps are zero. There are no checksums, UUIDs or volume names.
 *
 * Three format versions exist. 0 and 1 ("E1") are those of C mkcomposefs: breadth-first inodes in the compact form where it
 * fits, 256 whiteout stubs in the root so that the image works as an overlayfs lower layer on every kernel, whiteouts of the
 * tree escaped as xattrs; they differ in the `opaque=x` xattrs of directories with whiteouts. 2 ("E2") is of composefs-rs:
 * depth-first extended inodes, nothing escaped but xattr names.
 */
import { i64, struct, u16, u32, u64, u8 } from '../../bytes/struct.ts';
import type { ByteString } from '../tree/byte-string.ts';
import type { InodeKind } from '../tree/tree.ts';

/** `composefs_version` of the header. */
export type ImageVersion = 0 | 1 | 2;

export const BLOCK_SIZE = 4096;
export const SLOT_SIZE = 32;

export const HEADER_MAGIC = 0xd078629a;
export const HEADER_VERSION = 1;
/** Header flag: some inode has a POSIX ACL, so the image must not be mounted with `noacl`. */
export const FLAG_HAS_ACL = 1;

export const HEADER = struct('composefs header', 32, {
  magic: [0, u32],
  version: [4, u32],
  flags: [8, u32],
  composefsVersion: [12, u32],
});

export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_MAGIC = 0xe0f5e1e2;
/** MTIME and XATTR_FILTER. */
export const FEATURE_COMPAT = 6;
export const FEATURE_INCOMPAT_CHUNKED_FILE = 4;
export const BLOCK_BITS = 12;

export const SUPERBLOCK = struct('EROFS superblock', 128, {
  magic: [0, u32],
  checksum: [4, u32],
  featureCompat: [8, u32],
  blockBits: [12, u8],
  extensionSlots: [13, u8],
  rootNid: [14, u16],
  inodes: [16, u64],
  buildTime: [24, i64],
  buildTimeNsec: [32, u32],
  blocks: [36, u32],
  metaBlock: [40, u32],
  xattrBlock: [44, u32],
  featureIncompat: [80, u32],
  extraDevices: [86, u16],
  xattrPrefixCount: [91, u8],
  packedNid: [96, u64],
});

export const INODES_OFFSET = SUPERBLOCK_OFFSET + 128;

/** `i_format` is layout * 2 + form. */
export const FORM_COMPACT = 0;
export const FORM_EXTENDED = 1;
/** Data lies in whole blocks, from block `i_u`. */
export const LAYOUT_PLAIN = 0;
/** As plain, but the last part of the data (the tail) follows the inode. */
export const LAYOUT_INLINE = 2;
/** External content: a table of chunks that are all holes follows the inode, `i_u` says the chunk size. */
export const LAYOUT_CHUNKS = 4;

/** mtime is the superblock's build time. */
export const COMPACT_INODE = struct('EROFS compact inode', 32, {
  format: [0, u16],
  xattrCount: [2, u16],
  mode: [4, u16],
  nlink: [6, u16],
  size: [8, u32],
  u: [16, u32],
  ino: [20, u32],
  uid: [24, u16],
  gid: [26, u16],
});

export const EXTENDED_INODE = struct('EROFS extended inode', 64, {
  format: [0, u16],
  xattrCount: [2, u16],
  mode: [4, u16],
  size: [8, u64],
  u: [16, u32],
  ino: [20, u32],
  uid: [24, u32],
  gid: [28, u32],
  mtime: [32, i64],
  mtimeNsec: [40, u32],
  nlink: [44, u32],
});

/** A chunk of a file that is a hole, in the table of chunks. */
export const NULL_CHUNK = 0xffffffff;
/** `i_u` of a chunk-based inode is log2(chunk size) - 12 in its low 5 bits. E2 always writes 31. */
export const MAX_CHUNK_FORMAT = 31;

/** Directory data: records, then the names without separators; per block, so that each block is complete in itself. */
export const DIRENT = struct('EROFS dirent', 12, {
  nid: [0, u64],
  nameOffset: [8, u16],
  type: [10, u8],
});

/** File types of dirents. */
export const FILE_TYPES: Readonly<Record<InodeKind, number>> = {
  file: 1,
  directory: 2,
  chardev: 3,
  blockdev: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};

/**
 * Xattr body of an inode: this record, one u32 per shared xattr (position / 4), then the local entries. `xattrCount` of the
 * inode is (body size - 12) / 4 + 1, or 0 without a body. The name filter has a bit cleared for every xattr there is.
 */
export const XATTR_BODY = struct('EROFS xattr body', 12, {
  nameFilter: [0, u32],
  sharedCount: [4, u8],
});

/** An xattr entry: this record, the name's suffix, the value, zero fill to 4 bytes. */
export const XATTR_ENTRY = struct('EROFS xattr entry', 4, {
  nameLength: [0, u8],
  nameIndex: [1, u8],
  valueSize: [2, u16],
});

/** `name_index` of an entry to the prefix it stands for. E1 writes names in `lustre.` without a prefix. */
export const XATTR_PREFIXES: Readonly<Record<number, string>> = {
  0: '',
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  5: 'lustre.',
  6: 'security.',
};

/** Seed of the name filter's hash; the prefix index is added. */
export const XATTR_FILTER_SEED = 0x25bbe08f;

/** Value of `trusted.overlay.metacopy`: version 0, size, flags 0, algorithm, digest. */
export const METACOPY_HEADER = struct('overlayfs metacopy', 4, {
  version: [0, u8],
  size: [1, u8],
  flags: [2, u8],
  algorithm: [3, u8],
});

function name(text: string): ByteString {
  return text as ByteString;
}

/** What overlayfs takes as its own in a lower layer; the tree's own names get one more `overlay.` after it. */
export const OVERLAY_PREFIX = 'trusted.overlay.';
export const ESCAPED_PREFIX = 'trusted.overlay.overlay.';
export const XATTR_METACOPY = name('trusted.overlay.metacopy');
export const XATTR_REDIRECT = name('trusted.overlay.redirect');
export const XATTR_OPAQUE = name('trusted.overlay.opaque');
/** On the regular file that stands for a whiteout of the tree; the values are empty. */
export const XATTR_ESCAPED_WHITEOUT = name('trusted.overlay.overlay.whiteout');
export const XATTR_USER_WHITEOUT = name('user.overlay.whiteout');
/** On the directory of such a file; the values are empty. */
export const XATTR_ESCAPED_WHITEOUTS = name('trusted.overlay.overlay.whiteouts');
export const XATTR_USER_WHITEOUTS = name('user.overlay.whiteouts');
/** On the same directory in version 1, with value `x`. */
export const XATTR_ESCAPED_OPAQUE = name('trusted.overlay.overlay.opaque');
export const XATTR_USER_OPAQUE = name('user.overlay.opaque');
export const XATTR_SELINUX = name('security.selinux');
export const ACL_NAMES = ['system.posix_acl_access', 'system.posix_acl_default'] as const;

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
