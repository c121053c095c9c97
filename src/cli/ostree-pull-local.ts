/** `cfs ostree pull-local REPO REF…` */
import type { Command } from 'commander';
import { openLocalSource } from '../pull/source.ts';
import { action, examples, type Context } from './context.ts';
import { addPullOptions, pullOptions, type PullCommandOptions } from './pull-options.ts';
import { pullInto } from './pull-result.ts';

export function define(command: Command): void {
  command
    .argument('<ostree-repo>', 'path of an OSTree repository, of any mode')
    .argument(
      '<ref...>',
      "refs, patterns ('os/*', '**'), REF@CHECKSUM, commit ids or the beginning of one, also with ^ for the parent",
    );
  addPullOptions(command);
  examples(
    command,
    'cfs ostree pull-local /ostree/repo fedora/x86_64/iot',
    'cfs --repo /var/lib/images --json ostree pull-local /mnt/usb/repo os/stable',
  );
  action(command, run);
}

async function run(
  context: Context,
  path: string,
  wanted: readonly string[],
  options: PullCommandOptions,
): Promise<void> {
  using source = openLocalSource(path);
  await pullInto(context, { source, wanted, options: pullOptions(options) });
}
