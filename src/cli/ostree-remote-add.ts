/** `cfs ostree remote add NAME URL [BRANCH…]` */
import type { Command } from 'commander';
import { remoteGroup } from '../../ostree/local/config.ts';
import { KeyFile } from '../../ostree/key-file.ts';
import { isKnownKey, parseRemoteConfig, setLocation, type RemoteConfig } from '../../ostree/remote-config.ts';
import { isRemoteName } from '../../ostree/ref.ts';
import { addRemote, type RemoteFile } from '../../ostree/remotes.ts';
import { changeRemotes } from '../pull/remotes-file.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson } from './output.ts';
import { shownKeys } from './remote-place.ts';

interface Options {
  readonly set?: readonly string[];
  /** False for `--no-gpg-verify`. */
  readonly gpgVerify?: false;
  readonly signVerify?: readonly string[] | false;
  readonly contenturl?: string;
  readonly collectionId?: string;
  readonly ifNotExists?: boolean;
  readonly force?: boolean;
}

export function define(command: Command): void {
  command
    .argument('<name>', 'name of the remote')
    .argument('<url>', 'http, https or file URL of the repository, or mirrorlist=URL, or metalink=URL')
    .argument('[branch...]', 'refs that are meant by a pull that names none')
    .option('--set <key=value>', 'set a key of the remote, such as tls-ca-path or proxy (may be repeated)', append)
    .option(
      '--no-gpg-verify',
      'demand no OpenPGP signatures; cfs verifies none, and refuses a remote that demands them',
    )
    .option(
      '--sign-verify <type=place:key>',
      'demand signatures of this type: ed25519=inline:KEY, ed25519=file:PATH (may be repeated)',
      append,
    )
    .option('--no-sign-verify', 'demand no such signatures')
    .option('--contenturl <url>', 'base URL of objects and deltas, where they are somewhere else')
    .option('--collection-id <id>', 'the collection that commits must be bound to')
    .option('--if-not-exists', 'do nothing if there is a remote of that name')
    .option('--force', 'replace a remote of that name');
  examples(
    command,
    'cfs ostree remote add --no-gpg-verify os https://example.org/repo os/stable',
    'cfs ostree remote add --no-gpg-verify --set proxy=http://proxy:3128 os mirrorlist=https://example.org/mirrors',
  );
  action(command, run);
}

function append(value: string, before: readonly string[] | false = []): string[] {
  return [...(before === false ? [] : before), value];
}

async function run(
  context: Context,
  name: string,
  url: string,
  branches: readonly string[],
  options: Options,
): Promise<void> {
  if (options.force === true && options.ifNotExists === true) {
    throw usageError('--force and --if-not-exists exclude each other');
  }
  const remote = configure(name, url, branches, options);
  using repository = await context.openOrMakeRepository();
  let added = false;
  const change = (known: RemoteFile): boolean => {
    added = options.ifNotExists !== true || !known.keyFile.has(remoteGroup(name));
    if (added) addRemote(known, remote, { replace: options.force === true });
    return added;
  };
  const file = await changeRemotes(repository, change, context.lockOptions);
  if (context.json) writeJson({ remote: name, path: file.path, added, keys: shownKeys(file.keyFile, name) });
  else context.output.note(added ? `Added the remote ${name} to ${file.path}` : `There is a remote ${name} already`);
}

/** What the command line says as the group that `ostree remote add` would write. */
function configure(name: string, url: string, branches: readonly string[], options: Options): RemoteConfig {
  if (!isRemoteName(name)) throw usageError(`'${name}' cannot be the name of a remote`);
  const group = remoteGroup(name);
  const file = new KeyFile('command line');
  setLocation(file, name, url);
  if (branches.length > 0) file.setList(group, 'branches', branches);
  if (options.gpgVerify === false) file.set(group, 'gpg-verify', 'false');
  if (options.signVerify === false) file.set(group, 'sign-verify', 'false');
  else if (options.signVerify !== undefined) setEngines(file, group, options.signVerify);
  if (options.contenturl !== undefined) file.set(group, 'contenturl', options.contenturl);
  if (options.collectionId !== undefined) file.set(group, 'collection-id', options.collectionId);
  for (const text of options.set ?? []) {
    const at = text.indexOf('=');
    const key = text.slice(0, at);
    if (at < 1) throw usageError('--set: expected KEY=VALUE');
    if (!isKnownKey(key)) throw usageError(`--set: a remote has no key '${key}' that cfs would honour`);
    file.setRaw(group, key, text.slice(at + 1));
  }
  return parseRemoteConfig(name, file);
}

/** `TYPE=inline:KEY` or `TYPE=file:PATH`. */
function setEngines(file: KeyFile, group: string, demands: readonly string[]): void {
  const types = new Set<string>();
  for (const demand of demands) {
    const [, type, place, value] = /^(ed25519|spki)=(inline|file):(.+)$/s.exec(demand) ?? [];
    if (type === undefined) throw usageError(`--sign-verify ${demand}: expected TYPE=inline:KEY or TYPE=file:PATH`);
    types.add(type);
    file.set(group, `verification-${type}-${place === 'inline' ? 'key' : 'file'}`, value!);
  }
  file.setList(group, 'sign-verify', Array.from(types));
}
