/** `cfs ostree remote delete NAME` */
import type { Command } from 'commander';
import { remoteGroup } from '../../ostree/local/config.ts';
import { removeRemote, type RemoteFile } from '../../ostree/remotes.ts';
import { changeRemotes } from '../pull/remotes-file.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson } from './output.ts';

interface Options {
  readonly ifExists?: boolean;
}

export function define(command: Command): void {
  command
    .argument('<name>', 'name of a remote that the composefs repository itself has')
    .option('--if-exists', 'do nothing if there is no remote of that name');
  examples(command, 'cfs ostree remote delete os');
  action(command, run);
}

async function run(context: Context, name: string, options: Options): Promise<void> {
  using repository = await context.openRepository();
  let deleted = false;
  const change = (known: RemoteFile): boolean => {
    deleted = options.ifExists !== true || known.keyFile.has(remoteGroup(name));
    if (deleted) removeRemote(known, name);
    return deleted;
  };
  const file = await changeRemotes(repository, change, context.lockOptions);
  if (context.json) writeJson({ remote: name, path: file.path, deleted });
  else context.output.note(deleted ? `Deleted the remote ${name} from ${file.path}` : `There is no remote ${name}`);
}
