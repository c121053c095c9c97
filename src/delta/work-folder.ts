/**
 * The folder that a delta is made in, beside its place. Its maker holds a lock on it: one whose lock is free was left by a process that
 * died, and is removed by the next one that works there.
 */
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import { tryLock } from '../linux/flock.ts';
import { temporaryName } from '../repository/layout.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
/** Of file systems without locks, where what is left behind stays. */
const NO_LOCKS = ['ENOLCK', 'ENOSYS', 'ENOTSUP'] as const;

export class WorkFolder implements Disposable {
  readonly path: string;
  readonly #lock: number;

  /** Makes it in `parent`, and removes what was left there by others of these names. */
  constructor(parent: string, prefix: string) {
    removeAbandoned(parent, prefix);
    for (;;) {
      const path = join(parent, temporaryName(prefix));
      mkdirSync(path);
      const fd = openFolder(path);
      if (fd === undefined) continue;
      // Before it was locked, another process may have taken it for an abandoned one.
      if (lock(fd) && existsSync(path)) {
        this.path = path;
        this.#lock = fd;
        return;
      }
      closeSync(fd);
    }
  }

  /** Removes the folder with what is left in it. */
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
    closeSync(this.#lock);
  }
}

/** Undefined if it is gone, or no folder. */
function openFolder(path: string): number | undefined {
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** False if another has it locked. */
function lock(fd: number): boolean {
  try {
    return tryLock(fd, 'exclusive');
  } catch (error) {
    if (hasCode(error, ...NO_LOCKS)) return true;
    throw error;
  }
}

function removeAbandoned(parent: string, prefix: string): void {
  for (const name of names(parent)) {
    if (!name.startsWith(prefix) || name.length !== temporaryName(prefix).length) continue;
    const path = join(parent, name);
    let fd: number | undefined;
    try {
      fd = openFolder(path);
      if (fd === undefined || fstatSync(fd).uid !== process.geteuid?.()) continue;
      if (tryLock(fd, 'exclusive')) rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EPERM', ...NO_LOCKS)) throw error;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'EACCES')) return [];
    throw error;
  }
}
