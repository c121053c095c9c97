/** `cfs ostree list-refs URL` */
import type { Command } from 'commander';
import { openHttpSource } from '../../ostree/http/source.ts';
import { action, examples, type Context } from './context.ts';
import { addHttpOptions, transportOptions, type HttpOptions } from './http-options.ts';
import { printable, writeJson, writeLine, writeTable } from './output.ts';

interface Options extends HttpOptions {
  readonly subset?: string;
}

export function define(command: Command): void {
  command
    .argument('<url>', 'http or https URL of an OSTree repository')
    .option('--subset <key>', "only the refs of this subset of flatpak's summary.idx, such as x86_64");
  addHttpOptions(command);
  examples(
    command,
    'cfs ostree list-refs https://example.org/repo',
    'cfs ostree list-refs --subset x86_64 https://dl.flathub.org/repo',
  );
  action(command, run);
}

async function run(context: Context, url: string, options: Options): Promise<void> {
  using source = openHttpSource(url, transportOptions(options));
  const found = await source.listRefs(context.signal, { subset: options.subset });
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
