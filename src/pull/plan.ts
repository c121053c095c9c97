/** What a pull has to fetch of one commit: found from its metadata, before any content is. */
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { decodeCommit, type Commit } from '../../ostree/commit.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeSizes, type ObjectSize } from '../../ostree/sizes.ts';
import type { Source } from '../../ostree/source.ts';
import type { StoredObject } from '../commit/content.ts';
import type { CommitGraph } from '../commit/graph.ts';
import { lookUp } from '../commit/graph-path.ts';
import { commitOfRef, newestCommits, type StoredCommit } from '../commit/stored.ts';
import type { FileInodes } from '../commit/tree.ts';
import { selectPaths, WHOLE_TREE, type Selection } from '../commit/subpaths.ts';
import type { ObjectIndex } from '../repository/object-index.ts';
import type { Repository } from '../repository/repository.ts';
import { Bases, findRequiredBase, reuse, type HeldObjects } from './bases.ts';
import { verifyCommit } from './commit-checks.ts';
import { chooseDelta, type ChosenDelta } from './delta-choice.ts';
import { MetadataReader } from './metadata.ts';
import type { References } from './references.ts';
import type { PullOptions } from './pull.ts';
import { storedSize } from './space.ts';

/** Stored commits that are searched for what would else be fetched over a network, where there is no index. */
const MAX_BASES = 32;
/** The same where there is an index: the commit that was stored last is likely to be related, and is asked many times faster. */
const LIKELY_BASES = 1;
/** About what a file takes in the image and, compressed, in the commit stream. */
const BYTES_PER_FILE = 256;

/** What a pull is given. */
export interface PullTask {
  readonly repository: Repository;
  readonly source: Source;
  /** The name that the commit gets. */
  readonly ref: string | undefined;
  readonly options: PullOptions;
  /** For a source that waits for a network. */
  readonly index: ObjectIndex | undefined;
  readonly references: References;
  /** Of a dry run, in which nothing is stored: the files that the commits before would have fetched. */
  readonly planned?: ReadonlySet<OstreeChecksum>;
}

/** A commit whose object was read. */
export interface OpenedCommit {
  readonly checksum: OstreeChecksum;
  readonly object: Uint8Array;
  readonly commit: Commit;
  /** What is stored of it already. */
  readonly self: StoredCommit | undefined;
  readonly bases: Bases;
  readonly metadata: MetadataReader;
  /** To be applied before the metadata graph is read. */
  readonly delta: ChosenDelta | undefined;
}

export interface CommitPlan extends OpenedCommit {
  readonly graph: CommitGraph;
  /** Its objects that are there: all metadata, and the files that the bases have. */
  readonly objects: Map<OstreeChecksum, StoredObject>;
  readonly inodes: FileInodes;
  /** The files that have to be fetched. */
  readonly missing: readonly OstreeChecksum[];
  readonly estimate: Estimate;
}

/** Bytes, as far as the commit tells them by `ostree.sizes`. Nothing verifies that. */
export interface Estimate {
  /** True if every missing file is in it. */
  readonly complete: boolean;
  /** To be fetched from an archive repository. */
  readonly fetch: number;
  /** Of content. */
  readonly content: number;
  /** On the repository's file system. */
  readonly stored: number;
}

/**
 * Reads the commit object, and finds the stored commits that may have objects of it.
 * @param child is the commit that this one is the parent of, with its objects.
 */
export async function openCommit(task: PullTask, checksum: OstreeChecksum, child?: CommitPlan): Promise<OpenedCommit> {
  const { repository, source, ref, options, index, references } = task;
  const bases = new Bases(repository, options.onNote);
  if (child !== undefined) bases.addObjects(child.objects);
  const self = bases.add(checksum);
  if (ref !== undefined) bases.add(commitOfRef(repository, ref));
  if (options.base !== undefined) bases.add(findRequiredBase(repository, options.base));
  if (index !== undefined) bases.useIndex(index, { enters: task.planned === undefined });
  if (source.concurrency > 1) bases.addLater(newestCommits(repository, index === undefined ? MAX_BASES : LIKELY_BASES));
  const delta = child === undefined ? await chooseDelta(task, checksum, bases, self) : undefined;
  if (delta !== undefined) {
    bases.addObjects(new Map([[checksum, { data: delta.superblock.commit, object: undefined }]]));
  }
  const metadata = new MetadataReader(source, bases, options, references);
  const object = await metadata.readCommit(checksum);
  // Of a parent only the collection is checked, as of any commit that is pulled by its id.
  const name = child === undefined ? ref : undefined;
  verifyCommit({ repository, source, ref: name }, checksum, object, options.checks ?? {});
  const commit = decodeCommit(object, checksum);
  bases.add(commit.parent);
  return { checksum, object, commit, self, bases, metadata, delta };
}

/** The same for the parent; undefined if the commit has none, or the source lacks it. */
export async function openParent(task: PullTask, child: CommitPlan): Promise<OpenedCommit | undefined> {
  const { parent } = child.commit;
  if (parent === undefined) return undefined;
  try {
    return await openCommit(task, parent, child);
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND', 'PARTIAL')) return undefined;
    throw error;
  }
}

/** Reads the metadata graph: what was asked for of the tree, and what is stored of it. */
export async function planCommit(
  opened: OpenedCommit,
  { options, planned }: PullTask,
  held: HeldObjects,
): Promise<CommitPlan> {
  const { self, bases, metadata } = opened;
  const selection = self?.content.partial === false ? WHOLE_TREE : selectionOf(options);
  const graph = await metadata.readGraph(opened.checksum, opened.object, {
    selection,
    has: (checksum) => self?.content.get(checksum) !== undefined,
  });
  noteAbsent(graph, options);
  const { objects, missing: lacking, inodes } = reuse(graph, bases, held, self);
  const missing = planned === undefined ? lacking : lacking.filter((checksum) => !planned.has(checksum));
  return { ...opened, graph, objects, inodes, missing, estimate: estimateSizes(opened, graph, missing, options) };
}

function selectionOf({ commitMetadataOnly, subpaths = [] }: PullOptions): Selection | undefined {
  if (commitMetadataOnly === true) return undefined;
  return subpaths.length === 0 ? WHOLE_TREE : selectPaths(subpaths);
}

function noteAbsent(graph: CommitGraph, { subpaths = [], onNote }: PullOptions): void {
  for (const path of subpaths) {
    if (lookUp(graph, path) === undefined) onNote?.(`Commit ${graph.checksum} has no ${path}`);
  }
}

/** What the commit tells of these files, and of its metadata. */
export function estimateSizes(
  { commit, checksum }: OpenedCommit,
  graph: CommitGraph,
  missing: readonly OstreeChecksum[],
  { onNote }: Pick<PullOptions, 'onNote'> = {},
): Estimate {
  let sizes: ReadonlyMap<OstreeChecksum, ObjectSize> | undefined;
  try {
    sizes = missing.length === 0 ? undefined : decodeSizes(commit.metadata);
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    onNote?.(`The sizes that commit ${checksum} tells are not used: ${error.message}`);
  }
  let complete = true;
  let fetch = 0;
  let content = 0;
  let stored = missing.length * BYTES_PER_FILE;
  for (const file of missing) {
    const size = sizes?.get(file);
    if (size === undefined) {
      complete = false;
      continue;
    }
    fetch += size.archived;
    content += size.unpacked;
    stored += storedSize(size.unpacked);
  }
  for (const { length } of graph.objects.values()) stored += length;
  return { complete, fetch, content, stored };
}
