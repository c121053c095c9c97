/** `cfs ostree remote show NAME` */
import type { Command } from 'commander';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine } from './output.ts';
import { addRemotesOptions, findRemote, knownRemotes, shownKeys, type RemotesOptions } from './remote-place.ts';

export function define(command: Command): void {
  command.argument('<name>', 'name of the remote');
  addRemotesOptions(command);
  examples(command, 'cfs ostree remote show os', 'cfs --json ostree remote show --ostree-repo /ostree/repo fedora');
  action(command, run);
}

function run(context: Context, name: string, options: RemotesOptions): void {
  const { remotes, path } = knownRemotes(context, options);
  // One that could not be pulled from is an error here too.
  findRemote(remotes, name, path);
  const keys = shownKeys(remotes.merged(name), name);
  const paths = remotes.filesOf(name).map((file) => file.path);
  if (context.json) writeJson({ name, paths, keys });
  else for (const [key, value] of Object.entries(keys)) writeLine(`${key}=${printable(value)}`);
}
