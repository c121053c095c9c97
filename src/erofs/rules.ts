/**
 * Where the two writers of composefs images differ. Version 2 exists only in composefs-rs; versions 0 and 1 are written by C
 * mkcomposefs unless the caller asks for the images of composefs-rs. For trees without whiteouts, escaped xattrs, pre-1970
 * times, unusual link counts and the like the images are the same.
 */
import type { ImageVersion } from './format.ts';

export type Dialect = 'c' | 'composefs-rs';

export interface ImageOptions {
  readonly version: ImageVersion;
  /** Which program's rules versions 0 and 1 follow; C by default. */
  readonly dialect?: Dialect;
  /** With `version: 0`: the highest version the writer may choose by itself; C chooses 1 when the tree has whiteouts. */
  readonly maxVersion?: 0 | 1;
}

export interface Rules {
  readonly dialect: Dialect;
  /** Version 2: depth-first, extended inodes, no stubs, nothing but xattr names escaped. */
  readonly e2: boolean;
  /** Link counts are those of the tree's inodes, or the number of entries in the tree. */
  readonly countLinks: boolean;
  /** An inode belongs to the entry that is not in `links`, or always to its first entry in depth-first order. */
  readonly declaredLinks: boolean;
  /** The redirect is the object's path, whatever the payload, when there is a digest. */
  readonly redirectFromDigest: boolean;
  /** A file of size 0 with digest or payload keeps them. */
  readonly emptyExternalFiles: boolean;
  /** Whiteout and opaque markers are added without replacing xattrs of the same name. */
  readonly appendMarkers: boolean;
  /** A whiteout in the root that looks like a stub is one. */
  readonly adoptStubs: boolean;
  /** The ACL flag is for every name that starts with an ACL name. */
  readonly aclByPrefix: boolean;
  /** Times before 1970 are the largest. */
  readonly unsignedMtime: boolean;
  /** The size of devices, fifos and sockets takes part in choosing the compact form. */
  readonly specialSizes: boolean;
  /** Shared xattrs that one inode refers to; more are stored in the inode. */
  readonly maxSharedRefs: number;
}

const C: Rules = {
  dialect: 'c',
  e2: false,
  countLinks: false,
  declaredLinks: true,
  redirectFromDigest: false,
  emptyExternalFiles: false,
  appendMarkers: false,
  adoptStubs: false,
  aclByPrefix: false,
  unsignedMtime: false,
  specialSizes: true,
  maxSharedRefs: 128,
};

const RS: Rules = {
  dialect: 'composefs-rs',
  e2: false,
  countLinks: true,
  declaredLinks: false,
  redirectFromDigest: true,
  emptyExternalFiles: true,
  appendMarkers: true,
  adoptStubs: true,
  aclByPrefix: true,
  unsignedMtime: true,
  specialSizes: false,
  maxSharedRefs: Infinity,
};

export function rulesFor({ version, dialect = 'c' }: ImageOptions): Rules {
  if (version === 2) return { ...RS, e2: true };
  return dialect === 'c' ? C : RS;
}
