/** `cfs ostree remote list` */
import type { Command } from 'commander';
import { remoteGroup } from '../../ostree/local/config.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine, writeTable } from './output.ts';
import { addRemotesOptions, knownRemotes, shownKeys, type RemotesOptions } from './remote-place.ts';

export function define(command: Command): void {
  addRemotesOptions(command);
  examples(command, 'cfs ostree remote list', 'cfs --json ostree remote list --ostree-repo /ostree/repo');
  action(command, run);
}

function run(context: Context, options: RemotesOptions): void {
  const { remotes } = knownRemotes(context, options);
  const found = remotes.names().map((name) => {
    const keyFile = remotes.merged(name);
    const keys = shownKeys(keyFile, name);
    const url = keys['url'] ?? (keyFile.has(remoteGroup(name), 'metalink') ? `metalink=${keys['metalink']}` : '');
    return { name, url, path: remotes.filesOf(name)[0]!.path };
  });
  if (context.json) writeJson({ remotes: found });
  else if (found.length === 0) writeLine('No remotes found');
  else {
    writeTable(
      ['NAME', 'URL'],
      found.map(({ name, url }) => [printable(name), printable(url)]),
    );
  }
}
