/** `cfs ostree pull URL|REMOTE REF…` */
import type { Command } from 'commander';
import { SummaryStore } from '../pull/summary-store.ts';
import { addBackendOption, pullWithLibostree, type BackendOptions } from './backend.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { addHttpOptions } from './http-options.ts';
import { addPullOptions, pullOptions, type PullCommandOptions } from './pull-options.ts';
import { pullInto } from './pull-result.ts';
import { addSignatureOption, addRemotesOptions, openPlace, type RemoteOptions } from './remote-place.ts';

type Options = RemoteOptions & PullCommandOptions & BackendOptions;

export function define(command: Command): void {
  command
    .argument('<remote>', 'URL of an OSTree repository, or the name of a remote, also as REMOTE:REF')
    .argument(
      '[ref...]',
      "refs, patterns ('os/*', '**'), REF@CHECKSUM or commit ids, also with ^ for the parent; without any, the remote's branches",
    );
  addPullOptions(command);
  addBackendOption(command);
  addSignatureOption(command);
  addRemotesOptions(command);
  addHttpOptions(command);
  examples(
    command,
    'cfs ostree pull https://example.org/repo os/stable',
    "cfs ostree pull fedora 'fedora/stable/*/iot'",
    'cfs ostree pull --ostree-repo /ostree/repo fedora:fedora/stable/x86_64/iot',
    'cfs --json ostree pull --bearer-file token --deadline 600 https://example.org/repo os/stable',
  );
  action(command, run);
}

async function run(context: Context, target: string, refs: readonly string[], options: Options): Promise<void> {
  const { place, wanted } = parseTarget(target, refs);
  if (options.backend === 'libostree') {
    await pullWithLibostree(context, place, wanted, options);
    return;
  }
  using repository = await context.openRepositoryIfThere();
  const summaries = new SummaryStore(repository);
  using opened = await openPlace(context, place, options, summaries);
  const { remote, source, traffic } = opened;
  const all = wanted.length > 0 ? wanted : remote.branches;
  if (all.length === 0) {
    throw usageError(`No refs were named, and no branches are configured for ${place}; '**' means all its refs`);
  }
  const pull = pullOptions(options);
  await pullInto(context, {
    source,
    wanted: all,
    options: { ...pull, checks: { ...pull.checks, collectionId: remote.collectionId } },
    repository,
    traffic,
    summaries,
  });
}

/** `REMOTE:REF` is a remote and the first of the refs. */
function parseTarget(target: string, refs: readonly string[]): { readonly place: string; readonly wanted: string[] } {
  const colon = target.includes('://') ? -1 : target.indexOf(':');
  if (colon === -1) return { place: target, wanted: [...refs] };
  return { place: target.slice(0, colon), wanted: [target.slice(colon + 1), ...refs] };
}
