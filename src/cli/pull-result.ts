/** Pulls into the repository that the options name, and what is said of each: the ids on stdout, a summary on stderr. */
import { receivedBytes, type Traffic } from '../../ostree/http/traffic.ts';
import type { Source } from '../../ostree/source.ts';
import { pullCommit, type PullOptions, type PullResult } from '../pull/pull.ts';
import { isSingle, resolveRefs, type ResolvedRef } from '../pull/requests.ts';
import type { SummaryStore } from '../pull/summary-store.ts';
import type { Repository } from '../repository/repository.ts';
import type { Context } from './context.ts';
import { printable } from './output.ts';
import { formatBytes } from './progress.ts';
import { ResultList } from './result-list.ts';

export interface PullRequest {
  readonly source: Source;
  /** As `resolveRefs` takes them. */
  readonly wanted: readonly string[];
  readonly options: PullOptions & { readonly dryRun?: boolean | undefined };
  /** The repository, if it was there and is open; else it is made once something has been found. */
  readonly repository?: Repository | undefined;
  /** Of a source over a network: what it receives. */
  readonly traffic?: Traffic | undefined;
  readonly summaries?: SummaryStore;
}

/** Each ref appears when its commit is complete; the first failure ends the rest. */
export async function pullInto(context: Context, request: PullRequest): Promise<void> {
  const { source, wanted, options } = request;
  const refs = await resolveRefs(source, wanted, context.signal);
  using results = new ResultList(context, !isSingle(wanted));
  if (options.dryRun === true) {
    const { dryRun } = await import('./pull-dry-run.ts');
    for (const { name, commit } of refs) await dryRun(context, source, name, { ...options, commit }, results);
    return;
  }
  using made = request.repository === undefined ? await context.openOrMakeRepository() : undefined;
  const repository = request.repository ?? made!;
  for (const [i, ref] of refs.entries()) {
    if (refs.length > 1) context.output.task({ name: ref.name, number: i + 1, count: refs.length });
    await pullOne(context, repository, request, ref, results);
  }
  await request.summaries?.save(repository, context.signal);
}

async function pullOne(
  context: Context,
  repository: Repository,
  { source, options, traffic }: PullRequest,
  { name, commit }: ResolvedRef,
  results: ResultList,
): Promise<void> {
  const begun = performance.now();
  const before = traffic && receivedBytes(traffic);
  const result = await pullCommit(repository, source, name, {
    ...options,
    commit,
    erofsVersion: context.erofsVersion,
    signal: context.signal,
    onProgress: context.output.onProgress,
    onNote: context.output.note,
  });
  const seconds = (performance.now() - begun) / 1000;
  const transferred = before === undefined ? undefined : receivedBytes(traffic!) - before;
  const value = {
    commit: result.commit,
    verity: result.stream,
    image: result.image,
    partial: result.partial,
    tagged: result.ref,
    parents: result.parents,
    delta: result.delta,
    metadata_fetched: result.metadataFetched,
    files_fetched: result.filesFetched,
    files_reused: result.filesReused,
    files_from_reference: result.filesFromReference,
    content: result.content,
    bytes_transferred: transferred,
    bytes_written: result.bytesWritten,
    seconds: Number(seconds.toFixed(3)),
  };
  results.add(value, describe(result));
  context.output.note(summary(result, transferred, seconds));
}

/** Lines as cfsctl writes them. */
function describe(result: PullResult): string[] {
  return [
    `commit  ${result.commit}`,
    `verity  ${result.stream}`,
    ...(result.image === undefined ? [] : [`image   ${result.image}`]),
    ...(result.partial ? ['state   partial'] : []),
    ...result.parents.map((parent) => `parent  ${parent}`),
    ...(result.ref === undefined ? [] : [`tagged  ${printable(result.ref)}`]),
    `objects ${result.metadataFetched} metadata + ${result.filesFetched} ${fetchedHow(result)}`,
  ];
}

function fetchedHow({ delta }: PullResult): string {
  if (delta === undefined) return 'files fetched';
  return `files via ${delta.parts} delta parts`;
}

/** As ostree ends: `44 metadata, 348 content objects fetched; 1.2 MiB transferred in 0.3 seconds; 3.7 MiB content written (…); …` */
function summary(result: PullResult, transferred: number | undefined, seconds: number): string {
  const { metadataFetched, filesFetched, filesFromReference, filesReused, content, bytesWritten } = result;
  const verb = transferred === undefined ? 'imported' : 'fetched';
  const nothing = metadataFetched + filesFetched === 0;
  const stored = filesFetched + filesFromReference;
  const counts = [`${content.written} written`];
  if (content.reflinked > 0) counts.push(`${content.reflinked} reflinked`);
  if (content.inline > 0) counts.push(`${content.inline} inline`);
  if (content.present > 0) counts.push(`${content.present} already present`);
  const time = `${seconds.toFixed(1)} seconds`;
  return [
    nothing ? 'nothing to fetch' : `${metadataFetched} metadata, ${filesFetched} content objects ${verb}`,
    ...(transferred === undefined || nothing ? [] : [`${formatBytes(transferred)} transferred in ${time}`]),
    ...(stored === 0 ? [] : [`${formatBytes(bytesWritten)} content written (${counts.join(', ')})`]),
    ...(filesFromReference === 0 ? [] : [`${filesFromReference} from reference repositories`]),
    `${filesReused} reused from stored commits`,
    ...(transferred === undefined || nothing ? [time] : []),
  ].join('; ');
}
