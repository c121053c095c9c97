/** `cfs ostree list-refs URL|REMOTE`, which is also `cfs ostree remote refs REMOTE` */
import type { Command } from 'commander';
import { HttpSource } from '../../ostree/http/source.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { addHttpOptions } from './http-options.ts';
import { printable, writeJson, writeLine, writeTable } from './output.ts';
import { addRemotesOptions, addSignatureOption, openPlace, type RemoteOptions } from './remote-place.ts';

interface Options extends RemoteOptions {
  readonly subset?: string;
}

export function define(command: Command): void {
  command
    .argument('<remote>', 'URL of an OSTree repository, or the name of a remote')
    .option('--subset <key>', "only the refs of this subset of flatpak's summary.idx, such as x86_64");
  addSignatureOption(command);
  addRemotesOptions(command);
  addHttpOptions(command);
  examples(
    command,
    'cfs ostree list-refs https://example.org/repo',
    'cfs ostree list-refs --subset x86_64 https://dl.flathub.org/repo',
    'cfs --json ostree remote refs fedora',
  );
  action(command, run);
}

async function run(context: Context, place: string, options: Options): Promise<void> {
  using opened = await openPlace(context, place, options);
  const { source } = opened;
  const { subset } = options;
  if (subset !== undefined && !(source instanceof HttpSource)) {
    throw usageError(`--subset ${subset}: ${source.location} is on this machine, and its refs have no subsets`);
  }
  const found = await (source instanceof HttpSource
    ? source.listRefs(context.signal, { subset })
    : source.listRefs(context.signal));
  const refs = Array.from(found, ([ref, commit]) => ({ ref, commit })).sort((a, b) => (a.ref < b.ref ? -1 : 1));
  if (context.json) writeJson({ refs });
  else if (refs.length === 0) writeLine('No refs found');
  else {
    writeTable(
      ['REF', 'COMMIT'],
      refs.map(({ ref, commit }) => [printable(ref), commit]),
    );
  }
}
