/** `cfs ostree images`: the named commits. */
import type { Command } from 'commander';
import { listCommits } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine, writeTable } from './output.ts';

export function define(command: Command): void {
  examples(command, 'cfs ostree images', 'cfs ostree images --json');
  action(command, async (context: Context) => {
    using repository = await context.openRepository();
    const commits = listCommits(repository).sort((a, b) => (a.name < b.name ? -1 : 1));
    if (context.json) writeJson({ commits });
    else if (commits.length === 0) writeLine('No ostree commits found');
    else {
      writeTable(
        ['NAME', 'COMMIT'],
        commits.map(({ name, commit }) => [printable(name), commit]),
      );
    }
  });
}
