/**
 * The public API: each name is exported by hand. Everything else is internal and may change.
 *
 *     Repository.init('/var/lib/images', { insecure: true, ensure: true });
 *     using repository = await Repository.open('/var/lib/images');
 *     using source = openLocalSource('/ostree/repo');
 *     const { commit, image } = await pullCommit(repository, source, 'os/stable');
 */
export {
  CfsError,
  ChecksumError,
  FetchError,
  FormatError,
  NotFoundError,
  UnsupportedError,
  type ErrorCode,
  type ErrorFacts,
} from '../bytes/errors.ts';
export type { OstreeChecksum } from '../ostree/checksum.ts';
export type { TransportOptions } from '../ostree/http/options.ts';
export { HttpSource, openHttpSource } from '../ostree/http/source.ts';
export type { Source } from '../ostree/source.ts';
export { commitKnowledge } from './commit/check.ts';
export { createCommitImage, createSubtreeImage, storedTree, type CreatedImage } from './commit/image.ts';
export { isStoredInPart } from './commit/partial.ts';
export {
  listCommits,
  readCommit,
  resolveCommit,
  tagCommit,
  untagCommit,
  type NamedCommit,
  type StoredCommit,
} from './commit/stored.ts';
export { digestStoreTask } from './directory/digest-store.ts';
export { readRoot, rootImage, storeRoot, type RootOptions, type StoredRoot } from './directory/image.ts';
export { readDirectory, type ReadDirectory, type ReadOptions } from './directory/read.ts';
export { createDelta, type CreateDeltaOptions, type CreatedDelta } from './delta/create.ts';
export type { DeltaPlace } from './delta/destination.ts';
export { readImage } from './erofs/read.ts';
export { writeImage } from './erofs/write.ts';
export type { OnProgress, Progress } from './progress.ts';
export { planPull, type DryRun } from './pull/dry-run.ts';
export { pullCommit, type PullOptions, type PullResult } from './pull/pull.ts';
export type { FreeSpace } from './pull/space.ts';
export { openLocalSource } from './pull/source.ts';
export { repairRepository, type RepairOptions, type RepairReport } from './repair/repair.ts';
export { openRepairRepository, repairSource, type RepairSource } from './repair/sources.ts';
export { checkRepository, type FsckOptions } from './repository/fsck.ts';
export type { FsckReport } from './repository/fsck-report.ts';
export { collectGarbage, type GcOptions, type GcReport } from './repository/gc.ts';
export type { ErofsVersion } from './repository/metadata.ts';
export { Repository, type InitOptions, type OpenOptions } from './repository/repository.ts';
export { byteString, toUtf8, type ByteString } from './tree/byte-string.ts';
export { formatDump } from './tree/dumpfile-format.ts';
export { parseDump } from './tree/dumpfile-parse.ts';
export type { Directory, Inode, RegularFile, Special, Stat, Symlink, Xattr } from './tree/tree.ts';
export { verityDigest, VerityHasher } from './verity/digest.ts';
export type { HashAlgorithm, ObjectId } from './verity/object-id.ts';
