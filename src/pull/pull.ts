/**
 * The converter: pulls one commit from an OSTree source into a composefs repository.
 *
 * 1. The metadata graph, so that everything that is to come is known.
 * 2. The files that no stored commit has, on worker threads.
 * 3. The image, the commit stream and the ref, which become visible last, and only once all they reach is durable.
 *
 * Stored commits are readers in front of the source (bases.ts): this commit itself if it was pulled before, the old commit of the
 * same ref, the parent, and a base that the caller names; for a source that waits for a network also the object index, which
 * knows the objects of all stored commits and of pulls that did not end. What they hold is not fetched; a large file counts as held only if its object is there. So a pull of a commit that is stored
 * already fetches nothing, and mends what is missing.
 */
import { isChecksum, type OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeArchiveHeader } from '../../ostree/file-header.ts';
import type { Source } from '../../ostree/source.ts';
import { streamName } from '../commit/commit-stream.ts';
import { commitRef, historyRef } from '../commit/stored.ts';
import type { OnProgress } from '../progress.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import type { ObjectId } from '../verity/object-id.ts';
import type { CommitChecks } from './commit-checks.ts';
import { contentJob } from './content-job.ts';
import { ContentThreads } from './content-pool.ts';
import type { IngestedFile } from './file-ingest.ts';
import { openIndex } from './index-commits.ts';
import { openCommit, openParent, planCommit, type CommitPlan, type OpenedCommit, type PullTask } from './plan.ts';
import { enterPhase, publishCommit, type Publication } from './publish.ts';
import {
  assertSpace,
  DEFAULT_RESERVE,
  explainFull,
  measureSpace,
  mayShareBlocks,
  spaceBudget,
  type FreeSpace,
} from './space.ts';

export interface PullOptions {
  /** The commit that `name` means at the source, if the caller has asked for it already. */
  readonly commit?: OstreeChecksum | undefined;
  /** A stored ref or commit whose objects need not be fetched. */
  readonly base?: string | undefined;
  /** Absolute paths of directories and files: of the tree, only these are pulled, and the directories above them. */
  readonly subpaths?: readonly string[] | undefined;
  /** Pull nothing of the tree. */
  readonly commitMetadataOnly?: boolean | undefined;
  /** How many parents are pulled too, -1 for all; the first that the source lacks ends it. None by default. */
  readonly depth?: number | undefined;
  /** What the pull leaves free on the repository's file system, 3 % of it by default. */
  readonly minFreeSpace?: FreeSpace | undefined;
  /** By default only the bindings of the commit are verified. */
  readonly checks?: CommitChecks | undefined;
  /** Format of the image, instead of the repository's default. */
  readonly erofsVersion?: ErofsVersion | undefined;
  /** The most threads that ingest content, this one included; by default the number of processors. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Told of what a user should know but that is no error. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** How often each thing happened to a file. `inline`: lies in the commit stream; `present`: its object was there. */
export type ContentCounts = Readonly<Record<IngestedFile['how'], number>>;

export interface PullResult {
  readonly commit: OstreeChecksum;
  /** Digest of the commit stream. */
  readonly stream: ObjectId;
  /** Digest of the image; a partial commit has none. */
  readonly image: ObjectId | undefined;
  /** True if objects of the tree were not asked for, and no earlier pull had them. */
  readonly partial: boolean;
  /** The ref that was written; none for a pull by commit id. */
  readonly ref: string | undefined;
  /** The commits before it that were pulled too, the newest first. What follows counts their objects in. */
  readonly parents: readonly OstreeChecksum[];
  /** Metadata objects read from the source. */
  readonly metadataFetched: number;
  /** Files read from the source. */
  readonly filesFetched: number;
  /** What became of those. */
  readonly content: ContentCounts;
  /** Bytes of content that were written. */
  readonly bytesWritten: number;
  /** Files that stored commits had. */
  readonly filesReused: number;
}

/**
 * Pulls the commit that `name` means at the source, and gives it that name here, if it is one.
 * @throws what source and repository throw; ChecksumError, FormatError and CfsError LIMIT for bad objects. Nothing is visible then.
 */
export async function pullCommit(
  repository: Repository,
  source: Source,
  name: string,
  options: PullOptions = {},
): Promise<PullResult> {
  const { signal, depth = 0 } = options;
  const commit = options.commit ?? (await source.resolveRef(name, signal));
  const ref = nameFor(name, commit);
  using transaction = await repository.begin({ signal });
  using index = source.concurrency > 1 ? await openIndex(repository, options) : undefined;
  const task: PullTask = { repository, source, ref, options, index };

  const pulled: PulledCommit[] = [];
  let head: CommitPlan | undefined;
  let opened: OpenedCommit | undefined = await openCommit(task, commit);
  for (let left = depth; opened !== undefined; left--) {
    const { plan, ...one } = await pullOne(task, transaction, opened);
    pulled.push(one);
    head ??= plan;
    opened = left === 0 ? undefined : await openParent(task, plan);
  }

  const [first, ...parents] = pulled as [PulledCommit, ...PulledCommit[]];
  if (ref !== undefined) {
    transaction.linkRef('streams', commitRef(ref), streamName(commit));
    for (const parent of parents)
      transaction.linkRef('streams', historyRef(ref, parent.commit), streamName(parent.commit));
  }
  await enterPhase('sync', options);
  await transaction.commit();
  index?.hold(first.stream, head!.objects);
  return { ...first, ref, parents: parents.map((each) => each.commit), ...addCounts(pulled) };
}

/** One commit of a pull: all is stored, and known to the transaction. */
interface PulledCommit extends Publication, Counts {
  readonly commit: OstreeChecksum;
  readonly partial: boolean;
}

type Counts = Pick<PullResult, 'metadataFetched' | 'filesFetched' | 'content' | 'bytesWritten' | 'filesReused'>;

async function pullOne(
  task: PullTask,
  transaction: Transaction,
  opened: OpenedCommit,
): Promise<PulledCommit & { readonly plan: CommitPlan }> {
  const { repository, options } = task;
  await using threads = new ContentThreads(options.threads);
  if (opened.bases.size === 0 && options.commitMetadataOnly !== true) threads.warmUp();
  const plan = await planCommit(opened, task, transaction.writer);
  const { graph, objects, missing, metadata } = plan;
  const fetched = await fetchContent(task, transaction, threads, plan);
  for (const [i, checksum] of missing.entries()) objects.set(checksum, fetched[i]!);

  await enterPhase('image', options);
  const published = await publishCommit(repository, transaction, graph, objects, {
    kept: metadata.fetched === 0 && missing.length === 0 ? opened.self : undefined,
    erofsVersion: options.erofsVersion,
  });
  return {
    plan,
    commit: graph.checksum,
    partial: graph.partial,
    ...published,
    metadataFetched: metadata.fetched,
    filesFetched: missing.length,
    ...summarize(fetched),
    filesReused: graph.files.size - missing.length,
  };
}

/** Fetches the missing files, if there is room for them. @throws CfsError NO_SPACE */
async function fetchContent(
  { repository: { path }, source, options }: PullTask,
  transaction: Transaction,
  threads: ContentThreads,
  { graph, missing, bases, estimate }: CommitPlan,
): Promise<IngestedFile[]> {
  const space = measureSpace(path, options.minFreeSpace ?? DEFAULT_RESERVE);
  if (missing.length > 0 && !mayShareBlocks(source, path)) {
    assertSpace(path, `commit ${graph.checksum}`, estimate.stored, space);
  }
  const bytesTotal = estimate.complete ? estimate.content : undefined;
  let bytesDone = 0;
  const onProgress: OnProgress = (progress) => {
    bytesDone = progress.bytes ?? 0;
    options.onProgress?.({ ...progress, bytesTotal });
  };
  const job = contentJob(source.describe(), transaction.writerOptions, spaceBudget(path, space), missing);
  try {
    return await threads.ingest(job, source, {
      signal: options.signal,
      onProgress,
      onFile: (i, file) => bases.enter(missing[i]!, file),
    });
  } catch (error) {
    throw explainFull(error, path, bytesTotal === undefined ? undefined : bytesTotal - bytesDone);
  }
}

/** The name that a pull gives the commit: ids, the beginnings of them, and `REF^` mean one but are no names to give. */
export function nameFor(name: string, commit: OstreeChecksum): string | undefined {
  return isChecksum(name) || name.endsWith('^') || commit.startsWith(name) ? undefined : name;
}

function addCounts(all: readonly Counts[]): Counts {
  const content = { inline: 0, written: 0, reflinked: 0, present: 0 };
  const sum = { metadataFetched: 0, filesFetched: 0, bytesWritten: 0, filesReused: 0 };
  for (const each of all) {
    for (const how of Object.keys(content) as (keyof typeof content)[]) content[how] += each.content[how];
    for (const what of Object.keys(sum) as (keyof typeof sum)[]) sum[what] += each[what];
  }
  return { ...sum, content };
}

function summarize(fetched: readonly IngestedFile[]): Pick<PullResult, 'content' | 'bytesWritten'> {
  const content = { inline: 0, written: 0, reflinked: 0, present: 0 };
  let bytesWritten = 0;
  for (const { how, data } of fetched) {
    content[how]++;
    if (how === 'written') bytesWritten += decodeArchiveHeader(data).size;
  }
  return { content, bytesWritten };
}
