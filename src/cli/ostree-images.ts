/** `cfs ostree images`: the named commits. */
import type { Command } from 'commander';
import { isStoredInPart } from '../commit/partial.ts';
import { listCommits } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine, writeTable } from './output.ts';

export function define(command: Command): void {
  examples(command, 'cfs ostree images', 'cfs ostree images --json');
  action(command, async (context: Context) => {
    using repository = await context.openRepository();
    const commits = listCommits(repository)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, commit }) => ({ name, commit, partial: isStoredInPart(repository, commit) }));
    if (context.json) {
      writeJson({ commits });
      return;
    }
    if (commits.length === 0) {
      writeLine('No ostree commits found');
      return;
    }
    const rows = commits.map(({ name, commit, partial }) => [
      printable(name),
      commit,
      partial ? 'partial' : 'complete',
    ]);
    // The column is there only if it tells something.
    const columns = commits.some(({ partial }) => partial) ? 3 : 2;
    writeTable(
      ['NAME', 'COMMIT', 'STATE'].slice(0, columns),
      rows.map((row) => row.slice(0, columns)),
    );
  });
}
