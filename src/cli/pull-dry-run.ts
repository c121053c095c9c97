/** `--dry-run` of a pull: what would be fetched, from where, and whether there is room for it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Source } from '../../ostree/source.ts';
import { planPull, type DryRun } from '../pull/dry-run.ts';
import type { PullOptions } from '../pull/pull.ts';
import { measureSpace, DEFAULT_RESERVE } from '../pull/space.ts';
import { Repository } from '../repository/repository.ts';
import { isVacant, type Context } from './context.ts';
import { printable } from './output.ts';
import { formatBytes } from './progress.ts';
import type { ResultList } from './result-list.ts';

export async function dryRun(
  context: Context,
  source: Source,
  name: string,
  options: PullOptions,
  results: ResultList,
): Promise<void> {
  const plan = await planInto(context, source, name, {
    ...options,
    signal: context.signal,
    onProgress: context.output.onProgress,
    onNote: context.output.note,
  });
  const { fetch, stored, space } = plan;
  const lacking = Math.max(0, space.needed - (space.free - space.reserve));
  const value = {
    dry_run: true,
    commit: plan.commit,
    tagged: plan.ref,
    parents: plan.parents,
    partial: plan.partial,
    source: source.location,
    fetch: {
      metadata: fetch.metadata,
      files: fetch.files,
      bytes: fetch.bytes,
      content_bytes: fetch.content,
      delta_bytes: fetch.delta,
    },
    files_from_reference: plan.fromReference,
    stored,
    space: { ...space, lacking },
  };
  const bytes = fetch.bytes === undefined ? 'size unknown' : formatBytes(fetch.bytes);
  results.add(value, [
    `commit  ${plan.commit}${plan.partial ? ' (in part)' : ''}`,
    ...plan.parents.map((parent) => `parent  ${parent}`),
    ...(plan.ref === undefined ? [] : [`tagged  ${printable(plan.ref)}`]),
    `fetch   ${fetch.metadata} metadata + ${fetch.files} files (${bytes}) from ${printable(source.location)}`,
    ...(fetch.delta === undefined ? [] : [`delta   ${formatBytes(fetch.delta)}, which gives some or all of that`]),
    ...(plan.fromReference === 0 ? [] : [`others  ${plan.fromReference} files from reference repositories`]),
    `stored  ${stored.metadata} metadata + ${stored.files} files`,
    `space   ${describeSpace(plan)}${lacking === 0 ? '' : `: ${formatBytes(lacking)} too little`}`,
  ]);
}

function describeSpace({ space: { needed, complete, shared, free, reserve } }: DryRun): string {
  const most = shared ? 'at most ' : complete ? '' : 'at least ';
  return `${most}${formatBytes(needed)} needed, ${formatBytes(free)} free, of which ${formatBytes(reserve)} are kept`;
}

/** Where there is no repository yet, an empty one elsewhere stands for it. */
async function planInto(context: Context, source: Source, name: string, options: PullOptions): Promise<DryRun> {
  if (!isVacant(context.repositoryPath)) {
    using repository = await context.openRepository();
    return await planPull(repository, source, name, options);
  }
  const path = mkdtempSync(join(tmpdir(), 'cfs-dry-run-'));
  try {
    Repository.init(path, { algorithm: context.hash ?? 'sha512', insecure: true });
    using repository = await Repository.open(path);
    const plan = await planPull(repository, source, name, options);
    const space = measureSpace(context.repositoryPath, options.minFreeSpace ?? DEFAULT_RESERVE);
    return { ...plan, space: { ...plan.space, ...space } };
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
