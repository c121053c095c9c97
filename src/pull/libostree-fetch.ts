/**
 * Fetching by libostree: into an OSTree repository for a moment, inside of the composefs repository, from where it is then pulled
 * like any other. Remotes, their keys and everything about them are those of another OSTree repository, its parent; signatures
 * that a remote demands are verified, as libostree does.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CfsError } from '../../bytes/errors.ts';
import { KeyFile } from '../../ostree/key-file.ts';
import { Libostree } from '../../ostree/gi/libostree.ts';
import type { FetchProgress } from '../../ostree/gi/server/protocol.ts';
import { createLocalRepository } from '../../ostree/local/create-repository.ts';
import { isRefGlob, refGlob } from '../../ostree/ref-glob.ts';
import type { Source } from '../../ostree/source.ts';
import type { OnProgress } from '../progress.ts';
import { TEMPORARY_FILE, temporaryName } from '../repository/layout.ts';
import type { Repository } from '../repository/repository.ts';
import type { DeltaPolicy } from './delta-choice.ts';
import { reopenSource } from './source.ts';

export interface LibostreeFetch {
  /** Path of the OSTree repository that knows the remote. */
  readonly ostreeRepository: string;
  readonly remote: string;
  /** Refs, patterns of refs, `REF@CHECKSUM` and commit ids. */
  readonly wanted: readonly string[];
  readonly depth?: number | undefined;
  readonly deltas?: DeltaPolicy | undefined;
  /** Verify no signatures, whatever the remote demands. */
  readonly ignoreSignatures?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface FetchedCommits extends Disposable {
  /** Where they are, until this is disposed of. */
  readonly source: Source;
  /** What was wanted, each pattern as the refs that it means. */
  readonly names: readonly string[];
}

/** @throws UnsupportedError where libostree is not set up; CfsError FETCH with what libostree says; CfsError USAGE. */
export async function fetchWithLibostree(repository: Repository, fetch: LibostreeFetch): Promise<FetchedCommits> {
  const { signal } = fetch;
  const path = join(repository.path, temporaryName(TEMPORARY_FILE));
  // Garbage collection takes such names for what a crash left.
  const release = await repository.hold({ signal });
  const drop = (): void => {
    rmSync(path, { recursive: true, force: true });
    release();
  };
  try {
    await using libostree = await Libostree.start();
    makeRepository(path, resolve(fetch.ostreeRepository));
    await libostree.call('open', { path }, { signal });
    const names = await expand(libostree, fetch);
    await pull(libostree, fetch, names);
    const source = await reopenSource({ kind: 'local', path, remoteFallback: true });
    for (const name of names) await tellSignatures(libostree, fetch, name, source);
    return { source, names, [Symbol.dispose]: drop };
  } catch (error) {
    drop();
    throw error;
  }
}

/** Only its user reads it, so owners and modes need not be real; after a crash nobody does, so nothing need be durable. */
function makeRepository(path: string, parent: string): void {
  mkdirSync(path, { mode: 0o700 });
  createLocalRepository(path, 'bare-user');
  const config = new KeyFile();
  const keys = { repo_version: '1', mode: 'bare-user', parent, fsync: 'false' };
  for (const [key, value] of Object.entries(keys)) config.set('core', key, value);
  writeFileSync(join(path, 'config'), config.toString());
}

async function expand(libostree: Libostree, { wanted, remote, signal }: LibostreeFetch): Promise<string[]> {
  const parent = wanted.find((name) => name.endsWith('^'));
  if (parent !== undefined) {
    throw new CfsError('USAGE', `${parent}: libostree fetches refs and commit ids, and parents by --depth`);
  }
  if (!wanted.some(isRefGlob)) return [...new Set(wanted)];
  const { result } = await asked(remote, libostree.call('remoteRefs', { remote }, { signal }));
  const refs = Object.keys(result).sort();
  const names = wanted.flatMap((name) => {
    const found = isRefGlob(name) ? refs.filter(refGlob(name)) : [name];
    if (found.length === 0) throw new CfsError('NOT_FOUND', `No ref of ${remote} matches '${name}'`, { ref: name });
    return found;
  });
  return [...new Set(names)];
}

async function pull(
  libostree: Libostree,
  { remote, depth = 0, deltas, ignoreSignatures, signal, onProgress }: LibostreeFetch,
  names: readonly string[],
): Promise<void> {
  const split = names.map((name) => name.split('@'));
  const options = [
    `'refs': <@as ${list(split.map(([ref = '']) => ref))}>`,
    `'override-commit-ids': <@as ${list(split.map(([, commit = '']) => commit))}>`,
    `'depth': <int32 ${depth}>`,
    ...(deltas === 'never' ? ["'disable-static-deltas': <true>"] : []),
    ...(deltas === 'required' ? ["'require-static-deltas': <true>"] : []),
    ...(ignoreSignatures === true ? [unverified] : []),
  ];
  const report = {
    signal,
    onProgress: ({ fetched, requested, scanned, bytes }: FetchProgress) =>
      onProgress?.(
        // A repository on this machine is not asked for objects.
        requested === 0
          ? { phase: 'fetch', done: scanned }
          : { phase: 'fetch', done: fetched, total: requested, bytes },
      ),
  };
  onProgress?.({ phase: 'fetch', done: 0 });
  await asked(remote, libostree.call('pull', { remote, options: `{${options.join(', ')}}` }, report));
}

const unverified = [
  "'gpg-verify': <false>",
  "'gpg-verify-summary': <false>",
  "'disable-sign-verify': <true>",
  "'disable-sign-verify-summary': <true>",
].join(', ');

/** The escapes of JSON are some of those of GVariant texts. */
function list(texts: readonly string[]): string {
  return JSON.stringify(texts);
}

/** What libostree says about a fetch that failed is about the remote. */
async function asked<Answer>(remote: string, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof CfsError) || error.code !== 'SYSTEM' || 'pid' in error.facts) throw error;
    throw new CfsError('FETCH', `Cannot fetch from the remote "${remote}": ${error.message}`, { remote });
  }
}

/** libostree has refused what a remote's configuration refuses; this is for the user to know. */
async function tellSignatures(
  libostree: Libostree,
  { remote, ignoreSignatures, onNote }: LibostreeFetch,
  name: string,
  source: Source,
): Promise<void> {
  if (onNote === undefined || ignoreSignatures === true) return;
  const [ref = '', id] = name.split('@');
  const commit = id ?? (await source.resolveRef(ref));
  try {
    const { result } = await libostree.call('verify', { remote, commit });
    onNote(`${ref}: ${result.valid} of ${result.signatures} OpenPGP signatures are valid and of a trusted key`);
  } catch (error) {
    // It has none, and none is demanded.
    if (!(error instanceof CfsError) || 'pid' in error.facts) throw error;
  }
}
