/** `cfs ostree untag NAME` */
import type { Command } from 'commander';
import { untagCommit } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson } from './output.ts';

export function define(command: Command): void {
  command.argument('<name>', 'the ref to remove; the commit goes with the next gc if nothing else names it');
  examples(command, 'cfs ostree untag os/rollback');
  action(command, async (context: Context, name: string) => {
    using repository = await context.openRepository();
    untagCommit(repository, name);
    if (context.json) writeJson({ untagged: name });
  });
}
