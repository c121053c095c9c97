/** Who reads OSTree repositories and fetches from remotes: this program, or libostree. */
import { Option, type Command } from 'commander';
import type { Source } from '../../ostree/source.ts';
import { openLocalSource, reopenSource } from '../pull/source.ts';
import type { Context } from './context.ts';
import { usageError } from './failure.ts';
import type { HttpOptions } from './http-options.ts';
import { pullOptions, type PullCommandOptions } from './pull-options.ts';
import { pullInto } from './pull-result.ts';
import { knownRemotes, type RemoteOptions } from './remote-place.ts';

export interface BackendOptions {
  readonly backend?: 'cfs' | 'libostree';
}

export function addBackendOption(command: Command): void {
  const description = 'read and fetch by libostree instead, where npm run setup:libostree installed that';
  command
    .optionsGroup('Options:')
    .addOption(new Option('--backend <name>', description).choices(['cfs', 'libostree']).default('cfs'));
}

/** The OSTree repository at `path`. */
export async function openLocalBackend(path: string, { backend }: BackendOptions): Promise<Source> {
  return backend === 'libostree' ? reopenSource({ kind: 'libostree', path }) : openLocalSource(path);
}

/** What libostree takes from the configuration of the remote, or does not have. */
const unfit: readonly (keyof (HttpOptions & RemoteOptions & PullCommandOptions))[] = [
  'mirror',
  'contenturl',
  'jobs',
  'limitRate',
  'networkRetries',
  'connectTimeout',
  'lowSpeedLimitBytes',
  'lowSpeedTimeSeconds',
  'stallTimeout',
  'proxy',
  'httpHeader',
  'netrc',
  'netrcFile',
  'bearerFile',
  'cookies',
  'cacert',
  'cert',
  'key',
  'tlsPermissive',
  'remotesDir',
  'subpath',
  'commitMetadataOnly',
  'dryRun',
];

/** `cfs ostree pull --backend=libostree --ostree-repo PATH REMOTE REF…` */
export async function pullWithLibostree(
  context: Context,
  remote: string,
  refs: readonly string[],
  options: RemoteOptions & PullCommandOptions,
): Promise<void> {
  const { ostreeRepo, deadline, verifySignatures } = options;
  const wrong = options.http2 === false ? 'http2' : unfit.find((name) => options[name] !== undefined);
  if (wrong !== undefined) {
    const option = wrong.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw usageError(`--${wrong === 'http2' ? 'no-http2' : option} does not fit --backend=libostree`);
  }
  if (ostreeRepo === undefined || remote.includes('://')) {
    throw usageError('--backend=libostree needs the name of a remote, and by --ostree-repo the repository that has it');
  }
  if (deadline !== undefined) context.setDeadline(deadline);
  const wanted = refs.length > 0 ? refs : knownRemotes(context, { ostreeRepo }).remotes.get(remote).branches;
  if (wanted.length === 0) throw usageError(`No refs were named, and no branches are configured for ${remote}`);
  const pull = pullOptions(options);
  const { fetchWithLibostree } = await import('../pull/libostree-fetch.ts');
  using repository = await context.openOrMakeRepository();
  using fetched = await fetchWithLibostree(repository, {
    ostreeRepository: ostreeRepo,
    remote,
    wanted,
    depth: pull.depth,
    deltas: pull.deltas,
    ignoreSignatures: verifySignatures === false,
    signal: context.signal,
    onProgress: context.output.onProgress,
    onNote: context.output.note,
  });
  const { deltas: _, ...conversion } = pull;
  await pullInto(context, { source: fetched.source, wanted: fetched.names, options: conversion, repository });
}
