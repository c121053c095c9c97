/**
 * Rebuilds one commit: what is there of it stays, the rest comes from the first source that has it. What nobody has makes it a partial
 * commit. Its image is built anew. Refs stay as they are, since they name the commit.
 */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { CfsError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import { readImageHeader } from '../erofs/read-header.ts';
import { readCommitGraph, type CommitGraph, type ReadMetadata } from '../commit/graph.ts';
import { streamName } from '../commit/commit-stream.ts';
import type { StoredObject } from '../commit/content.ts';
import { findCommit, type StoredCommit } from '../commit/stored.ts';
import { readRegularFile } from '../linux/regular-file.ts';
import type { OnProgress } from '../progress.ts';
import { contentJob } from '../pull/content-job.ts';
import { ContentThreads } from '../pull/content-pool.ts';
import type { IngestedFile } from '../pull/file-ingest.ts';
import { publishCommit } from '../pull/publish.ts';
import { DEFAULT_RESERVE, measureSpace, spaceBudget } from '../pull/space.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import { objectFile } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import { findStream } from '../repository/streams.ts';
import type { Transaction } from '../repository/transaction.ts';
import { objectPath, type ObjectId } from '../verity/object-id.ts';
import { isUnreadable, type DamagedObjects, type KnownObjects } from './known.ts';
import type { LostFound } from './lost-found.ts';
import { isOut, type RepairSource } from './sources.ts';

export interface RebuildTask {
  readonly repository: Repository;
  readonly damaged: DamagedObjects;
  readonly known: KnownObjects;
  readonly sources: readonly RepairSource[];
  readonly lostFound: LostFound;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface RebuiltCommit {
  readonly commit: OstreeChecksum;
  /** `partial`: of what the tree names, something could not be had. */
  readonly state: 'whole' | 'partial';
  /** Metadata objects and files that each source gave, by its location. */
  readonly fetched: ReadonlyMap<string, number>;
  /** Dirtrees and dirmetas that could not be had; nothing below them is in the commit. */
  readonly metadataLost: readonly OstreeChecksum[];
  /** Files that could not be had. */
  readonly lost: readonly OstreeChecksum[];
  /** True if the stream is another one now. */
  readonly streamReplaced: boolean;
  readonly image: ObjectId | undefined;
}

/** @throws NotFoundError if not even the commit object can be had; errors of the repository. Nothing has changed then. */
export async function rebuildCommit(task: RebuildTask, commit: OstreeChecksum): Promise<RebuiltCommit> {
  const { repository, damaged, known, lostFound, signal } = task;
  known.use(commit);
  using transaction = await repository.begin({ signal, damaged: damaged.objects });
  const fetched = new Map<string, number>();
  const metadataLost = new Set<OstreeChecksum>();
  const graph = await readGraph(task, commit, fetched, metadataLost);
  const objects = new Map<OstreeChecksum, StoredObject>();
  for (const [checksum, data] of graph.objects) objects.set(checksum, { data, object: undefined });
  const missing: OstreeChecksum[] = [];
  for (const checksum of graph.files) {
    const stored = known.file(checksum);
    if (stored === undefined) missing.push(checksum);
    else objects.set(checksum, stored);
  }
  const files = await fetchFiles(task, transaction, missing, fetched);
  for (const [checksum, file] of files) objects.set(checksum, file);
  const lost = missing.filter((checksum) => !objects.has(checksum));
  const partial = graph.partial || lost.length > 0;

  const before = findStream(repository, streamName(commit));
  const kept = keptStream(repository, commit, objects, partial);
  const { stream, image } = await publishCommit(repository, transaction, { ...graph, partial }, objects, {
    kept,
    erofsVersion: imageVersion(repository, commit),
  });
  const streamReplaced = stream !== before;
  if (streamReplaced && before !== undefined) {
    lostFound.keep(`objects/${objectPath(before)}`, `streams/${streamName(commit)}`);
  }
  lostFound.sync();
  await transaction.commit();
  return {
    commit,
    state: partial ? 'partial' : 'whole',
    fetched,
    metadataLost: [...metadataLost],
    lost,
    streamReplaced,
    image,
  };
}

/** The format of the commit's image, as far as that can be told: it need not be the repository's default. */
function imageVersion(repository: Repository, commit: OstreeChecksum): ErofsVersion | undefined {
  try {
    const image = findCommit(repository, commit)?.image;
    if (image === undefined) return undefined;
    return readImageHeader(readRegularFile(objectFile(repository, image))).version;
  } catch (error) {
    if (error instanceof CfsError || isUnreadable(error)) return undefined;
    throw error;
  }
}

/** The stream as it is, if it holds just these objects. */
function keptStream(
  repository: Repository,
  commit: OstreeChecksum,
  objects: ReadonlyMap<OstreeChecksum, StoredObject>,
  partial: boolean,
): StoredCommit | undefined {
  let stored: StoredCommit | undefined;
  try {
    stored = findCommit(repository, commit);
  } catch (error) {
    if (error instanceof CfsError || isUnreadable(error)) return undefined;
    throw error;
  }
  if (stored === undefined || stored.content.size !== objects.size || stored.content.partial !== partial) {
    return undefined;
  }
  if (partial && stored.images.length > 0) return undefined;
  for (const [checksum, { data, object }] of stored.content.entries()) {
    const other = objects.get(checksum);
    if (other === undefined || other.object !== object || Buffer.compare(other.data, data) !== 0) return undefined;
  }
  return stored;
}

/** The graph, as far as its objects can be had. */
async function readGraph(
  { known, sources, signal, onProgress }: RebuildTask,
  commit: OstreeChecksum,
  fetched: Map<string, number>,
  lacking: Set<OstreeChecksum>,
): Promise<CommitGraph> {
  const had = new Map<OstreeChecksum, Uint8Array>();
  const get = (checksum: OstreeChecksum): Uint8Array | undefined => had.get(checksum) ?? known.metadata(checksum);
  const ask = async (...[type, checksum, readSignal]: Parameters<ReadMetadata>): Promise<Uint8Array> => {
    for (const source of sources) {
      const bytes = lacking.has(checksum) ? undefined : await source.readMetadata(type, checksum, readSignal);
      if (bytes === undefined) continue;
      fetched.set(source.location, (fetched.get(source.location) ?? 0) + 1);
      had.set(checksum, bytes);
      return bytes;
    }
    lacking.add(checksum);
    const problem = `The ${type} object ${checksum} of commit ${commit} is lost, and no source has it`;
    throw new NotFoundError(problem, { object: checksum });
  };
  const read: ReadMetadata = (type, checksum, readSignal) => get(checksum) ?? ask(type, checksum, readSignal);
  // Of a partial commit only what was there is wanted.
  const { content } = known;
  const wanted = (name: OstreeChecksum): boolean => content?.partial !== true || content.get(name) !== undefined;
  // Whatever is found to be lacking is left out, until nothing else is.
  for (;;) {
    const count = lacking.size;
    const has = (name: OstreeChecksum): boolean => wanted(name) && !lacking.has(name);
    try {
      return await readCommitGraph(commit, read, {
        signal,
        onProgress,
        selection: undefined,
        has,
      });
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND') || lacking.size === count || lacking.has(commit)) throw error;
    }
  }
}

/** Takes each file from the first source that has it. */
async function fetchFiles(
  { repository, sources, signal, onProgress, onNote }: RebuildTask,
  transaction: Transaction,
  missing: readonly OstreeChecksum[],
  fetched: Map<string, number>,
): Promise<ReadonlyMap<OstreeChecksum, IngestedFile>> {
  const files = new Map<OstreeChecksum, IngestedFile>();
  const budget = spaceBudget(repository.path, measureSpace(repository.path, DEFAULT_RESERVE));
  for (const each of sources) {
    const offer = each.filesOf(missing.filter((checksum) => !files.has(checksum)));
    if (offer === undefined || offer.files.length === 0) continue;
    const before = files.size;
    try {
      await using threads = new ContentThreads();
      const job = contentJob(offer.source.describe(), transaction.writerOptions, budget, offer.files, true);
      const onFile = (index: number, file: IngestedFile): void => void files.set(offer.files[index]!, file);
      await threads.ingest(job, offer.source, { signal, onProgress, onFile });
    } catch (error) {
      if (signal?.aborted === true || !isOut(error)) throw error;
      onNote?.(`${each.location} cannot be used: ${(error as Error).message}`);
    }
    const count = files.size - before;
    if (count > 0) fetched.set(each.location, (fetched.get(each.location) ?? 0) + count);
  }
  return files;
}
