/**
 * Garbage collection: removes streams and images that no ref keeps, and objects that nothing in use needs.
 *
 * What is in use is found under the exclusive lock, so that no transaction of anyone is under way. Links go first, then
 * objects: one that is killed leaves no stream that lacks its objects. Temporary entries of killed writers go too,
 * and what the object index knows of what is gone.
 */
import { lstatSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import { CfsError } from '../../bytes/errors.ts';
import { isObjectId } from '../verity/object-id.ts';
import { TEMPORARY_FILE, TEMPORARY_LINK, TEMPORARY_OBJECT, type LinkKind } from './layout.ts';
import { syncDirectories } from './links.ts';
import { listNames, objectFiles, shownName } from './object-files.ts';
import { pruneIndex } from './index-prune.ts';
import type { LockOptions } from './lock.ts';
import { exists, findReachable, type Reachable } from './reachable.ts';
import { listRefs } from './refs.ts';
import type { Repository } from './repository.ts';
import { listMarks, removeMarks } from './unsynced.ts';

export interface GcOptions extends LockOptions {
  /** Names of streams and images that are kept without a ref. */
  readonly roots?: readonly string[] | undefined;
  /** Remove nothing, and keep only programs out that remove. */
  readonly dryRun?: boolean | undefined;
}

export interface GcReport {
  readonly dryRun: boolean;
  readonly objectsRemoved: number;
  readonly bytesRemoved: number;
  /** Links, and refs to them. */
  readonly imagesPruned: number;
  readonly streamsPruned: number;
  /** What is not in order but hinders nothing. */
  readonly warnings: readonly string[];
}

/**
 * @throws CfsError LOCKED, CANCELLED; CORRUPT when it cannot be told what is in use; NotFoundError for an unknown root;
 *   UnsupportedError for a repository that must not be written to.
 */
export async function collectGarbage(repository: Repository, options: GcOptions = {}): Promise<GcReport> {
  const { dryRun = false, roots = [], signal } = options;
  if (!dryRun) repository.assertWritable();
  const release = dryRun ? await repository.hold(options) : await repository.exclusive(options);
  try {
    const { path } = repository;
    const reachable = findReachable(repository, roots);
    const streams = deadLinks(repository, reachable, 'streams');
    const images = deadLinks(repository, reachable, 'images');
    const warnings = [...reachable.warnings];
    if (!dryRun) removeLinks([...streams, ...images].map((link) => join(path, link)));
    let objectsRemoved = 0;
    let bytesRemoved = 0;
    for (const { file, size } of deadObjects(path, reachable.live, repository.algorithm, warnings)) {
      if (signal?.aborted === true)
        throw new CfsError('CANCELLED', 'Garbage collection was cancelled', {}, signal.reason);
      if (!dryRun) unlinkSync(file);
      objectsRemoved++;
      bytesRemoved += size;
      if (objectsRemoved % 1000 === 0) await pause();
    }
    if (!dryRun) {
      removeTemporary(path, TEMPORARY_FILE, TEMPORARY_LINK);
      removeTemporary(join(path, 'objects'), TEMPORARY_OBJECT);
      // unsynced.ts says why these are not needed any more.
      const settled = listMarks(path).filter(({ state, synced }) => state === 'foreign' && synced);
      removeMarks(
        path,
        settled.map(({ name }) => name),
      );
      const gone = new Set(streams);
      const left = reachable.streams.filter(({ name }) => !gone.has(`streams/${name}`));
      warnings.push(...(await pruneIndex(path, new Set(left.map(({ id }) => id)))));
    }
    return {
      dryRun,
      objectsRemoved,
      bytesRemoved,
      imagesPruned: images.length,
      streamsPruned: streams.length,
      warnings,
    };
  } finally {
    release();
  }
}

/** Links whose object goes or is missing, and refs that point to nothing. Refs come first. */
function deadLinks(repository: Repository, reachable: Reachable, kind: LinkKind): string[] {
  const dead = reachable[kind].filter(
    ({ name, id }) => id === undefined || !reachable.live.has(id) || !exists(join(repository.path, kind, name)),
  );
  const gone = new Set(dead.map(({ name }) => name));
  const refs = listRefs(repository, kind).filter(
    ({ ref, target }) => gone.has(target) || !exists(join(repository.path, kind, 'refs', ref)),
  );
  return [...refs.map(({ ref }) => `${kind}/refs/${ref}`), ...dead.map(({ name }) => `${kind}/${name}`)];
}

/** Durably, so that no power failure brings back a stream whose objects are gone. */
function removeLinks(links: readonly string[]): void {
  for (const link of links) unlinkSync(link);
  syncDirectories(new Set(links.map((link) => dirname(link))));
}

function* deadObjects(
  path: string,
  live: Reachable['live'],
  algorithm: Repository['algorithm'],
  warnings: string[],
): Generator<{ file: string; size: number }, void, undefined> {
  for (const { prefix, names } of objectFiles(path)) {
    const directory = join(path, 'objects', prefix);
    for (const name of names) {
      const id = prefix + name;
      if (!isObjectId(id, algorithm)) {
        warnings.push(`${join(directory, shownName(name))} is no object, and stays`);
      } else if (!live.has(id)) {
        const file = join(directory, name);
        const stat = lstatSync(file);
        if (stat.isDirectory()) warnings.push(`${file} is a directory, and stays`);
        else yield { file, size: stat.size };
      }
    }
  }
}

/** Under the exclusive lock nobody is writing: what is temporary was left by somebody killed. */
function removeTemporary(directory: string, ...prefixes: readonly string[]): void {
  for (const name of listNames(directory)) {
    if (prefixes.some((prefix) => name.startsWith(prefix))) rmSync(join(directory, name), { recursive: true });
  }
}
