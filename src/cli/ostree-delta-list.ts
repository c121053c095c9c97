/** `cfs ostree delta list PLACE` */
import type { Command } from 'commander';
import { deltaName } from '../../ostree/delta/format.ts';
import { action, examples, type Context } from './context.ts';
import { addPlace, openPlace } from './delta-argument.ts';
import type { HttpOptions } from './http-options.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  addPlace(command);
  examples(command, 'cfs ostree delta list /srv/repo', 'cfs --json ostree delta list https://example.org/repo');
  action(command, run);
}

async function run(context: Context, path: string, options: HttpOptions): Promise<void> {
  using place = openPlace(path, options);
  const deltas = (await place.list(context.signal)).map(({ from, to }) => ({ name: deltaName(from, to), from, to }));
  if (context.json) writeJson({ deltas });
  else if (deltas.length === 0) writeLine('(No static deltas)');
  else for (const { name } of deltas) writeLine(name);
}
