/** `cfs ostree tag COMMIT NAME` */
import type { Command } from 'commander';
import { tagCommit } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command.argument('<commit>', 'ref, commit id, or the beginning of one').argument('<name>', 'the ref to write');
  examples(command, 'cfs ostree tag 89f78d os/rollback');
  action(command, async (context: Context, source: string, name: string) => {
    using repository = await context.openRepository();
    const commit = await tagCommit(repository, source, name);
    if (context.json) writeJson({ commit, tagged: name });
    else writeLine(`Tagged ${source} as ${name}`);
  });
}
