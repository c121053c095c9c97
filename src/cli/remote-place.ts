/** What a command line means by a remote: a URL, or a name that some configuration knows. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { NotFoundError } from '../../bytes/errors.ts';
import type { TransportOptions } from '../../ostree/http/options.ts';
import { createTraffic, type Traffic } from '../../ostree/http/traffic.ts';
import { scrub } from '../../ostree/http/url.ts';
import type { KeyFile } from '../../ostree/key-file.ts';
import { remoteGroup } from '../../ostree/local/config.ts';
import { remoteOfUrl, withContentUrl, type RemoteConfig } from '../../ostree/remote-config.ts';
import { readRemotesDirectory, Remotes, remotesOf, SYSTEM_REMOTES } from '../../ostree/remotes.ts';
import { isRemoteName } from '../../ostree/ref.ts';
import type { Source } from '../../ostree/source.ts';
import { openRemote } from '../pull/remote-source.ts';
import { openLocalSource } from '../pull/source.ts';
import { repositoryRemotes } from '../pull/remotes-file.ts';
import type { SummaryStore } from '../pull/summary-store.ts';
import type { Context } from './context.ts';
import { usageError } from './failure.ts';
import { authOptions, transportOptions, type HttpOptions } from './http-options.ts';

export interface RemotesOptions {
  readonly ostreeRepo?: string;
  readonly remotesDir?: readonly string[];
}

export interface RemoteOptions extends RemotesOptions, HttpOptions {
  /** False for `--no-verify-signatures`. */
  readonly verifySignatures?: false;
}

/** Where remotes are looked up. */
export function addRemotesOptions(command: Command): void {
  command
    .optionsGroup('Where remotes are configured:')
    .option('--ostree-repo <path>', 'in this OSTree repository, instead of in the composefs repository')
    .option('--remotes-dir <path>', 'also in the files *.conf of this folder (may be repeated)', append);
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** What stands in for verification, as long as there is none. */
export function addSignatureOption(command: Command): void {
  command
    .optionsGroup('What a commit has to be:')
    .option('--no-verify-signatures', 'pull from a remote that demands signatures without verifying any');
}

export interface KnownRemotes {
  readonly remotes: Remotes;
  /** The repository that they belong to. */
  readonly path: string;
}

const systemRepositories: ReadonlySet<string> = new Set(['/sysroot/composefs', '/sysroot/ostree/repo', '/ostree/repo']);

/** @throws FormatError for a configuration that cannot be read, NotFoundError for no OSTree repository. */
export function knownRemotes(context: Context, { ostreeRepo, remotesDir = [] }: RemotesOptions): KnownRemotes {
  const path = ostreeRepo === undefined ? context.repositoryPath : resolve(ostreeRepo);
  const folders = [...(systemRepositories.has(path) ? [SYSTEM_REMOTES] : []), ...remotesDir];
  if (ostreeRepo === undefined) {
    return { path, remotes: new Remotes([[repositoryRemotes(path), ...folders.flatMap(readRemotesDirectory)]]) };
  }
  using repository = openLocalSource(path);
  return { path, remotes: remotesOf(repository, folders) };
}

/** The keys of a remote as they are written, but URLs without their credentials: for output. */
export function shownKeys(keyFile: KeyFile, name: string): Record<string, string> {
  const group = remoteGroup(name);
  return Object.fromEntries(keyFile.keys(group).map((key) => [key, scrub(keyFile.raw(group, key) ?? '')]));
}

export interface OpenedRemote extends Disposable {
  readonly remote: RemoteConfig;
  readonly source: Source;
  /** What was received from a server; undefined for a repository on this machine. */
  readonly traffic: Traffic | undefined;
}

/** @param place is a URL, `mirrorlist=URL`, `metalink=URL` or the name of a remote. */
export async function openPlace(
  context: Context,
  place: string,
  options: RemoteOptions,
  cache?: SummaryStore,
): Promise<OpenedRemote> {
  const { mirror = [], contenturl, verifySignatures, deadline } = options;
  if (deadline !== undefined) context.setDeadline(deadline);
  let transport: TransportOptions = transportOptions(options);
  let remote: RemoteConfig;
  if (place.includes('://')) {
    remote = remoteOfUrl(place, contenturl);
  } else {
    const { remotes, path } = knownRemotes(context, options);
    remote = withContentUrl(findRemote(remotes, place, path), contenturl);
    const cookieFile = join(path, `${place}.cookies.txt`);
    if (transport.cookieFile === undefined && existsSync(cookieFile)) transport = { ...transport, cookieFile };
  }
  const traffic = createTraffic();
  const named = [remote.location?.url, remote.contentLocation?.url, ...mirror].filter((url) => url !== undefined);
  const auth = authOptions(options, named);
  const source = await openRemote(remote, {
    transport: { ...transport, traffic, ...(auth === undefined ? {} : { auth }) },
    mirrors: mirror,
    ignoreSignatures: verifySignatures === false,
    ...(cache === undefined ? {} : { cache }),
    signal: context.signal,
  });
  return {
    remote,
    source,
    traffic: source.concurrency > 1 ? traffic : undefined,
    [Symbol.dispose]: () => source.close(),
  };
}

/** @throws CfsError USAGE, NotFoundError */
export function findRemote(remotes: Remotes, name: string, path: string): RemoteConfig {
  if (!isRemoteName(name)) {
    const hint = existsSync(name) ? "; for a repository on disk there is 'cfs ostree pull-local'" : '';
    throw usageError(`'${name}' is neither a URL nor the name of a remote${hint}`);
  }
  if (remotes.has(name)) return remotes.get(name);
  const known = remotes.names();
  const list = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
  throw new NotFoundError(`Remote "${name}" not found in ${path}; ${list}`, { remote: name, path });
}
