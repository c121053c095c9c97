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
import type { DeltaUse } from './delta.ts';
import type { DeltaPolicy } from './delta-choice.ts';
import type { IngestedFile } from './file-ingest.ts';
import { openIndex } from './index-commits.ts';
import { openCommit, openParent, planCommit, type CommitPlan, type OpenedCommit, type PullTask } from './plan.ts';
import { enterPhase, publishCommit, type Publication } from './publish.ts';
import { References } from './references.ts';
import type { ContentSource } from './source.ts';
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
  /** Paths of OSTree and composefs repositories on this machine, which are asked for objects before the source. */
  readonly references?: readonly string[] | undefined;
  /** Absolute paths of directories and files: of the tree, only these are pulled, and the directories above them. */
  readonly subpaths?: readonly string[] | undefined;
  /** Pull nothing of the tree. */
  readonly commitMetadataOnly?: boolean | undefined;
  /** How many parents are pulled too, -1 for all; the first that the source lacks ends it. None by default. */
  readonly depth?: number | undefined;
  /** Whether static deltas are used: by default from a source that waits for a network, if that pays and there are no references. */
  readonly deltas?: DeltaPolicy | undefined;
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
  /** The static delta that was used. */
  readonly delta: Pick<DeltaUse, 'name' | 'parts'> | undefined;
  /** Metadata objects read from the source, or made by the delta. */
  readonly metadataFetched: number;
  /** Files read from the source, or made by the delta. */
  readonly filesFetched: number;
  /** Files that reference repositories had. */
  readonly filesFromReference: number;
  /** What became of both. */
  readonly content: ContentCounts;
  /** Bytes of content that were written. */
  readonly bytesWritten: number;
  /** Files that stored commits had. */
  readonly filesReused: number;
}

/**
 * Pulls the commit that `name` means at the source, and gives it that name here, if it is one.
 * @throws what source and repository throw; ChecksumError, FormatError and CfsError LIMIT for bad objects, NO_SPACE where
 * there is no room, PARTIAL for a commit that the source has only in part. Nothing is visible then.
 */
export async function pullCommit(
  repository: Repository,
  source: Source,
  name: string,
  options: PullOptions = {},
): Promise<PullResult> {
  try {
    return await pullAll(repository, source, name, options);
  } catch (error) {
    throw explainFull(error, repository.path, undefined);
  }
}

async function pullAll(
  repository: Repository,
  source: Source,
  name: string,
  options: PullOptions,
): Promise<PullResult> {
  const { signal, depth = 0 } = options;
  const commit = options.commit ?? (await source.resolveRef(name, signal));
  const ref = nameFor(name, commit);
  using transaction = await repository.begin({ signal });
  using index = source.concurrency > 1 ? await openIndex(repository, options) : undefined;
  using references = await References.open(options.references ?? [], options);
  source.spoolIn?.(repository.path);
  const task: PullTask = { repository, source, ref, options, index, references };

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
  // A commit that is pulled by its id is kept by a ref of that name, until it is untagged.
  const root = ref ?? commit;
  transaction.linkRef('streams', commitRef(root), streamName(commit));
  for (const parent of parents) {
    transaction.linkRef('streams', historyRef(root, parent.commit), streamName(parent.commit));
  }
  await enterPhase('sync', options);
  await transaction.commit();
  index?.hold(first.stream, head!.objects);
  return { ...first, ref, parents: parents.map((each) => each.commit), ...addCounts(pulled) };
}

/** One commit of a pull: all is stored, and known to the transaction. */
interface PulledCommit extends Publication, Counts, Pick<PullResult, 'delta'> {
  readonly commit: OstreeChecksum;
  readonly partial: boolean;
}

type Counts = Pick<
  PullResult,
  'metadataFetched' | 'filesFetched' | 'filesFromReference' | 'content' | 'bytesWritten' | 'filesReused'
>;

async function pullOne(
  task: PullTask,
  transaction: Transaction,
  opened: OpenedCommit,
): Promise<PulledCommit & { readonly plan: CommitPlan }> {
  const { repository, options } = task;
  await using threads = new ContentThreads(options.threads);
  if (opened.bases.size === 0 && options.commitMetadataOnly !== true) threads.warmUp();
  let used: DeltaUse | undefined;
  if (opened.delta !== undefined) {
    // Few pulls run a delta, and what does it is a tenth of the program.
    const { applyDelta } = await import('./delta.ts');
    used = await applyDelta(task, transaction, opened.bases, opened.delta);
  }
  const made = used?.files ?? [];
  const plan = await planCommit(opened, task, transaction.writer);
  const { graph, objects, inodes, missing, metadata } = plan;
  const { files, filesFromReference } = await fetchContent(task, transaction, threads, plan);
  for (const [checksum, file] of files) objects.set(checksum, file);

  await enterPhase('image', options);
  const published = await publishCommit(repository, transaction, graph, objects, {
    kept: used === undefined && metadata.fetched + missing.length === 0 ? opened.self : undefined,
    erofsVersion: options.erofsVersion,
    inodes,
  });
  return {
    plan,
    commit: graph.checksum,
    partial: graph.partial,
    ...published,
    delta: used && { name: used.name, parts: used.parts },
    metadataFetched: metadata.fetched + (used?.metadata ?? 0),
    filesFetched: missing.length - filesFromReference + made.length,
    filesFromReference,
    ...summarize([...files.values(), ...made]),
    filesReused: Math.max(0, graph.files.size - missing.length - made.length),
  };
}

/** Takes the missing files from the references, and the others from the source, if there is room. @throws CfsError NO_SPACE */
async function fetchContent(
  { repository: { path }, source, references, options }: PullTask,
  transaction: Transaction,
  threads: ContentThreads,
  { graph, missing, bases, estimate }: CommitPlan,
): Promise<{ readonly files: ReadonlyMap<OstreeChecksum, IngestedFile>; readonly filesFromReference: number }> {
  const space = measureSpace(path, options.minFreeSpace ?? DEFAULT_RESERVE);
  if (missing.length > 0 && references.size === 0 && !mayShareBlocks(source, path)) {
    assertSpace(path, `commit ${graph.checksum}`, estimate.stored, space);
  }
  const budget = spaceBudget(path, space);
  const bytesTotal = estimate.complete ? estimate.content : undefined;
  const files = new Map<OstreeChecksum, IngestedFile>();
  let bytesDone = 0;
  const take = async (
    by: ContentThreads,
    from: ContentSource,
    wanted: readonly OstreeChecksum[],
    tolerant: boolean,
  ): Promise<void> => {
    const before = bytesDone;
    const job = contentJob(from.describe(), transaction.writerOptions, budget, wanted, tolerant);
    await by.ingest(job, from, {
      signal: options.signal,
      onProgress(progress) {
        bytesDone = before + (progress.bytes ?? 0);
        options.onProgress?.({ ...progress, bytes: bytesDone, bytesTotal });
      },
      onFile(i, file) {
        files.set(wanted[i]!, file);
        bases.enter(wanted[i]!, file);
      },
    });
  };
  try {
    await references.ingest(missing, async (reference, wanted) => {
      await using own = new ContentThreads(options.threads);
      await take(own, reference, wanted, true);
      return files;
    });
    const filesFromReference = files.size;
    const rest = missing.filter((checksum) => !files.has(checksum));
    await take(threads, source, rest, false);
    return { files, filesFromReference };
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
  const sum = { metadataFetched: 0, filesFetched: 0, filesFromReference: 0, bytesWritten: 0, filesReused: 0 };
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
