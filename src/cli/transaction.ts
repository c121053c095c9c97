/** `cfs transaction`: holds the repository's shared lock until the process is killed. */
import { once } from 'node:events';
import type { Command } from 'commander';
import { action, examples, type Context } from './context.ts';
import { exitCode } from './failure.ts';
import { writeJson } from './output.ts';

export function define(command: Command): void {
  examples(command, 'cfs transaction & …; kill %1');
  action(command, async (context: Context) => {
    using repository = await context.openRepository();
    await repository.hold(context.lockOptions);
    if (context.json) writeJson({ path: repository.path, pid: process.pid });
    const busy = setInterval(() => {}, 2 ** 30);
    await once(context.signal, 'abort');
    clearInterval(busy);
    process.exitCode = exitCode(context.signal.reason);
  });
}
