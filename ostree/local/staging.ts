/**
 * The folder in a repository's `tmp/` where new objects are collected until all are durable. It belongs to one process, which holds a lock
 * on the file `lock` in it: a folder whose lock is free was left by one that died, and is removed.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import type { ObjectType } from '../object-type.ts';
import { parseStagedName } from './staged-name.ts';
import type { RepositoryServices } from './write-services.ts';

const PREFIX = 'cfs-staging-';
const LOCK = 'lock';
/** Milliseconds for which a folder without a lock may be one that is just being made. */
const YOUNG = 60_000;

export class Staging {
  readonly path: string;
  readonly #lock: number;

  /** Makes a staging folder below `tmp`, and removes those of processes that died. */
  constructor(tmp: string, services: RepositoryServices) {
    mkdirSync(tmp, { recursive: true });
    removeAbandoned(tmp, services);
    for (;;) {
      const path = mkdtempSync(join(tmp, PREFIX));
      const lock = openSync(join(path, LOCK), constants.O_RDWR | constants.O_CREAT, 0o600);
      // Before it was locked, another process may have taken it for an abandoned one.
      if (services.tryLock(lock, 'exclusive') && fstatSync(lock).nlink > 0) {
        this.path = path;
        this.#lock = lock;
        return;
      }
      closeSync(lock);
    }
  }

  /** Gives the staged objects of these types (of all others, with `except`) their names below `objects`. */
  publish(objects: string, types: readonly ObjectType[], except = false): void {
    const folders = new Set<string>();
    for (const name of readdirSync(this.path)) {
      const staged = parseStagedName(name);
      if (staged === undefined || types.includes(staged.type) === except) continue;
      const folder = staged.place.slice(0, 2);
      if (!folders.has(folder)) mkdirSync(join(objects, folder), { recursive: true });
      folders.add(folder);
      renameSync(join(this.path, name), join(objects, staged.place));
    }
  }

  /** Removes the folder with what is left in it. */
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
    closeSync(this.#lock);
  }
}

function removeAbandoned(tmp: string, services: RepositoryServices): void {
  for (const name of readdirSync(tmp).filter((each) => each.startsWith(PREFIX))) {
    const path = join(tmp, name);
    let lock: number | undefined;
    try {
      lock = openSync(join(path, LOCK), 'r+');
      if (services.tryLock(lock, 'exclusive')) rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'EACCES')) throw error;
      if (isOld(path)) rmSync(path, { recursive: true, force: true });
    } finally {
      if (lock !== undefined) closeSync(lock);
    }
  }
}

function isOld(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > YOUNG;
}
