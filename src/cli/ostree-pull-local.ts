/** `cfs ostree pull-local REPO REF…` */
import type { Command } from 'commander';
import { addBackendOption, openLocalBackend, type BackendOptions } from './backend.ts';
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
  addBackendOption(command);
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
  options: PullCommandOptions & BackendOptions,
): Promise<void> {
  using source = await openLocalBackend(path, options);
  await pullInto(context, { source, wanted, options: pullOptions(options) });
}
