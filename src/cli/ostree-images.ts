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
      .map((each) => ({ ...each, partial: isStoredInPart(repository, each.commit) }));
    if (context.json) writeJson({ commits });
    else if (commits.length === 0) writeLine('No ostree commits found');
    else {
      const hasPartial = commits.some(({ partial }) => partial);
      writeTable(
        ['NAME', 'COMMIT', ...(hasPartial ? ['STATE'] : [])],
        commits.map(({ name, commit, partial }) => [
          printable(name),
          commit,
          ...(hasPartial ? [partial ? 'partial' : 'complete'] : []),
        ]),
      );
    }
  });
}
