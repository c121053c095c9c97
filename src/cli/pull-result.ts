/** A pull into the repository that the options name, and what it says when it is done: the ids on stdout, a summary on stderr. */
import type { Source } from '../../ostree/source.ts';
import { pullCommit, type PullOptions, type PullResult } from '../pull/pull.ts';
import type { Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';

export async function pullInto(context: Context, source: Source, ref: string, options: PullOptions): Promise<void> {
  const begun = performance.now();
  // An unknown ref is told before a repository is made.
  const commit = await source.resolveRef(ref, context.signal);
  using repository = await context.openOrMakeRepository();
  const result = await pullCommit(repository, source, ref, {
    ...options,
    commit,
    erofsVersion: context.erofsVersion,
    signal: context.signal,
    onProgress: context.output.onProgress,
    onNote: context.output.note,
  });
  writePullResult(context, result, (performance.now() - begun) / 1000);
}

function writePullResult(context: Context, result: PullResult, seconds: number): void {
  context.output.end();
  if (context.json) {
    writeJson({
      commit: result.commit,
      verity: result.stream,
      image: result.image,
      tagged: result.ref,
      metadata_fetched: result.metadataFetched,
      files_fetched: result.filesFetched,
      files_reused: result.filesReused,
      content: result.content,
      bytes_written: result.bytesWritten,
      seconds: Number(seconds.toFixed(3)),
    });
    return;
  }
  writeLine(`commit  ${result.commit}`);
  writeLine(`verity  ${result.stream}`);
  writeLine(`image   ${result.image}`);
  if (result.ref !== undefined) writeLine(`tagged  ${result.ref}`);
  writeLine(`objects ${result.metadataFetched} metadata + ${result.filesFetched} files fetched`);
  context.output.note(summary(result, seconds));
}

/** `348 files: 330 written (3.7 MiB), 16 inline, 2 present; 0 reused; 0.3 seconds` */
function summary({ filesFetched, filesReused, content, bytesWritten }: PullResult, seconds: number): string {
  const parts = [`${content.written} written (${formatBytes(bytesWritten)})`];
  if (content.reflinked > 0) parts.push(`${content.reflinked} reflinked`);
  if (content.inline > 0) parts.push(`${content.inline} inline`);
  if (content.present > 0) parts.push(`${content.present} already present`);
  const fetched = filesFetched === 0 ? 'nothing to fetch' : `${filesFetched} files: ${parts.join(', ')}`;
  return `${fetched}; ${filesReused} reused from stored commits; ${seconds.toFixed(1)} seconds`;
}
