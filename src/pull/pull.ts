/**
 * The converter: pulls one commit from an OSTree source into a composefs repository.
 *
 * 1. The metadata graph, so that everything that is to come is known.
 * 2. The files that no stored commit has, on worker threads.
 * 3. The image, the commit stream and the ref, which become visible last, and only once all they reach is durable.
 *
 * Stored commits are readers in front of the source (bases.ts): this commit itself if it was pulled before, the old commit of the
 * same ref, the parent, and a base that the caller names; for a source that waits for a network, all that were stored lately.
 * What they hold is not fetched; a large file counts as held only if its object is there. So a pull of a commit that is stored
 * already fetches nothing, and mends what is missing.
 */
import { isChecksum, type OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { decodeArchiveHeader } from '../../ostree/file-header.ts';
import type { Source } from '../../ostree/source.ts';
import { commitOfRef, commitRef, newestCommits } from '../commit/stored.ts';
import { streamName } from '../commit/commit-stream.ts';
import type { OnProgress } from '../progress.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { Bases, findRequiredBase, reuse } from './bases.ts';
import { verifyCommit, type CommitChecks } from './commit-checks.ts';
import { contentJob } from './content-job.ts';
import { ContentThreads } from './content-pool.ts';
import type { IngestedFile } from './file-ingest.ts';
import { MetadataReader } from './metadata.ts';
import { enterPhase, publishCommit } from './publish.ts';

/** Stored commits that are searched for what would else be fetched over a network. */
const MAX_BASES = 32;

export interface PullOptions {
  /** The commit that `name` means at the source, if the caller has asked for it already. */
  readonly commit?: OstreeChecksum | undefined;
  /** A stored ref or commit whose objects need not be fetched. */
  readonly base?: string | undefined;
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
  /** Digest of the image. */
  readonly image: ObjectId;
  /** The ref that was written; none for a pull by commit id. */
  readonly ref: string | undefined;
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
  const { signal } = options;
  const commit = options.commit ?? (await source.resolveRef(name, signal));
  const ref = isRefName(name, commit) ? name : undefined;
  using transaction = await repository.begin({ signal });
  await using threads = new ContentThreads(options.threads);

  const bases = new Bases(repository, options.onNote);
  const self = bases.add(commit);
  if (ref !== undefined) bases.add(commitOfRef(repository, ref));
  if (options.base !== undefined) bases.add(findRequiredBase(repository, options.base));
  const metadata = new MetadataReader(source, bases, options);
  const commitObject = await metadata.readCommit(commit);
  verifyCommit(repository, commit, commitObject, ref, options.checks ?? {});
  bases.add(decodeCommit(commitObject, commit).parent);
  if (source.concurrency > 1) bases.addLater(newestCommits(repository, MAX_BASES));
  if (bases.size === 0) threads.warmUp();

  const graph = await metadata.readGraph(commit, commitObject);
  const { objects, missing } = reuse(graph, bases, transaction.writer);
  const fetched = await threads.ingest(
    contentJob(source.describe(), transaction.writerOptions, missing),
    source,
    options,
  );
  for (const [i, checksum] of missing.entries()) objects.set(checksum, fetched[i]!);

  await enterPhase('image', options);
  const published = await publishCommit(repository, transaction, graph, objects, {
    kept: metadata.fetched === 0 && missing.length === 0 ? self : undefined,
    erofsVersion: options.erofsVersion,
  });
  if (ref !== undefined) transaction.linkRef('streams', commitRef(ref), streamName(commit));
  await enterPhase('sync', options);
  await transaction.commit();
  return {
    commit,
    ...published,
    ref,
    metadataFetched: metadata.fetched,
    filesFetched: missing.length,
    ...summarize(fetched),
    filesReused: graph.files.size - missing.length,
  };
}

/** Commit ids, the beginnings of them, and `REF^` name a commit but are no names to give. */
function isRefName(name: string, commit: OstreeChecksum): boolean {
  return !isChecksum(name) && !name.endsWith('^') && !commit.startsWith(name);
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
