/**
 * Which old file each new one may be made from: one with the same content, else the one at its path, else one of nearly the same name.
 */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { newFiles, pairByName, type Tree } from '../../ostree/delta/make/pair.ts';
import { decodeArchiveHeader, isSymlinkMode } from '../../ostree/file-header.ts';
import type { StoredObject } from '../commit/content.ts';
import type { CommitGraph } from '../commit/graph.ts';
import type { StoredCommit } from '../commit/stored.ts';
import type { ObjectId } from '../verity/object-id.ts';

/** A stored commit and its metadata. */
export interface DeltaEnd {
  readonly stored: StoredCommit;
  readonly graph: CommitGraph;
}

/** A regular file or symlink of a stored commit. */
export interface CommitFile {
  readonly checksum: OstreeChecksum;
  readonly stored: StoredObject;
  readonly size: number;
  readonly mode: number;
}

export interface Source extends CommitFile {
  /** It has the same content, only another owner, mode or other attributes. */
  readonly same: boolean;
}

export interface NewFile {
  readonly file: CommitFile;
  readonly source: Source | undefined;
}

/** Files of fewer bytes are given as a whole: the checksum of a source takes half of that. */
const MIN_PAIRED_SIZE = 64;
/**
 * The files that the older commit lacks, in the order of the tree.
 * @throws FormatError for a stored file that cannot be decoded; CfsError CORRUPT for one that is missing.
 */
export function filesWithSources(from: DeltaEnd | undefined, to: DeltaEnd): NewFile[] {
  const placed = newFiles(treeOf(to), from && treeOf(from));
  const files = placed.map(({ checksum }) => inspect(to, checksum));
  if (from === undefined) return files.map((file) => ({ file, source: undefined }));
  const old = new OldFiles(from);
  const isPaired = (file: CommitFile): boolean => !isSymlinkMode(file.mode) && file.size >= MIN_PAIRED_SIZE;
  const found = files.map((file, i) => (isPaired(file) ? (old.same(file) ?? old.like(placed[i]!.source)) : undefined));
  const others = placed.filter((_, i) => found[i] === undefined && isPaired(files[i]!));
  const sizes = new Map(files.map(({ checksum, size }) => [checksum, size]));
  const pairs = pairByName(others, treeOf(from), (checksum, inOld) =>
    inOld ? old.like(checksum)?.size : sizes.get(checksum),
  );
  return files.map((file, i) => ({ file, source: found[i] ?? old.like(pairs.get(file.checksum)) }));
}

function treeOf({ graph }: DeltaEnd): Tree {
  return { root: graph.commit.rootTree, dirtrees: graph.dirtrees };
}

function inspect({ stored: { content, checksum: commit } }: DeltaEnd, checksum: OstreeChecksum): CommitFile {
  const stored = content.get(checksum);
  if (stored === undefined) {
    throw new CfsError('CORRUPT', `The stored commit ${commit} lacks its file object ${checksum}`, {
      object: checksum,
    });
  }
  const { size, header } = decodeArchiveHeader(stored.data, checksum);
  return { checksum, stored, size, mode: header.mode };
}

/** The files of the older commit that others may be made from. */
class OldFiles {
  readonly #end: DeltaEnd;
  readonly #usable = new Map<OstreeChecksum, Source | undefined>();
  readonly #contents = new Map<ObjectId, OstreeChecksum>();

  constructor(end: DeltaEnd) {
    this.#end = end;
    for (const checksum of end.graph.files) {
      const object = end.stored.content.get(checksum)?.object;
      if (object === undefined || this.#contents.has(object)) continue;
      if (this.like(checksum) !== undefined) this.#contents.set(object, checksum);
    }
  }

  /** One with the content of a new file. */
  same({ stored: { object } }: CommitFile): Source | undefined {
    const source = object === undefined ? undefined : this.like(this.#contents.get(object));
    return source && { ...source, same: true };
  }

  /** The file of this name, if it may be a source: who applies a delta must be able to read it, as any user. */
  like(checksum: OstreeChecksum | undefined): Source | undefined {
    if (checksum === undefined) return undefined;
    if (!this.#usable.has(checksum)) this.#usable.set(checksum, this.#inspect(checksum));
    return this.#usable.get(checksum);
  }

  #inspect(checksum: OstreeChecksum): Source | undefined {
    const file = inspect(this.#end, checksum);
    const isUsable = !isSymlinkMode(file.mode) && file.size >= MIN_PAIRED_SIZE && (file.mode & 0o004) !== 0;
    return isUsable ? { ...file, same: false } : undefined;
  }
}
