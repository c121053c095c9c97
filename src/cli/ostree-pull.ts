/** `cfs ostree pull URL REF` */
import type { Command } from 'commander';
import { openHttpSource } from '../../ostree/http/source.ts';
import { action, examples, type Context } from './context.ts';
import { addHttpOptions, transportOptions, type HttpOptions } from './http-options.ts';
import { addPullOptions, pullOptions, type PullCommandOptions } from './pull-options.ts';
import { pullInto } from './pull-result.ts';

type Options = HttpOptions & PullCommandOptions;

export function define(command: Command): void {
  command
    .argument('<url>', 'http or https URL of an OSTree repository')
    .argument('<ref>', 'ref or commit id, also with ^ for the parent');
  addPullOptions(command);
  addHttpOptions(command);
  examples(
    command,
    'cfs ostree pull https://example.org/repo os/stable',
    'cfs --json ostree pull --http-header Authorization="Bearer $TOKEN" https://example.org/repo os/stable',
  );
  action(command, run);
}

async function run(context: Context, url: string, ref: string, options: Options): Promise<void> {
  using source = openHttpSource(url, transportOptions(options));
  await pullInto(context, source, ref, pullOptions(options));
}
