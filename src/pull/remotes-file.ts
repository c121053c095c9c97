/**
 * The remotes of a composefs repository: the file `ostree-remotes.conf` in its root, with groups as in the `config` of an OSTree
 * repository. Other programs leave it alone.
 */
import { closeSync, constants, fstatSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CfsError } from '../../bytes/errors.ts';
import { readRemotesFile, type RemoteFile } from '../../ostree/remotes.ts';
import { tryLock } from '../linux/flock.ts';
import { TEMPORARY_FILE, temporaryName } from '../repository/layout.ts';
import { syncDirectories } from '../repository/links.ts';
import type { LockOptions } from '../repository/lock.ts';
import type { Repository } from '../repository/repository.ts';

const NAME = 'ostree-remotes.conf';

/** Those of the repository at this path; none if there is no such file. @throws FormatError; CfsError SYSTEM */
export function repositoryRemotes(repository: string): RemoteFile {
  return readRemotesFile(join(repository, NAME));
}

/** Milliseconds between two attempts to get at the file: whoever has it holds it for that long at most. */
const PAUSE = 20;

/**
 * Lets `change` change the remotes, one process after the other, and stores them durably if it gives true.
 * @throws CfsError LOCKED, CANCELLED; FormatError; what `change` throws, and then nothing is stored.
 */
export async function changeRemotes(
  repository: Repository,
  change: (file: RemoteFile) => boolean,
  { lockTimeout = 300, signal }: LockOptions = {},
): Promise<RemoteFile> {
  repository.assertWritable();
  const path = join(repository.path, NAME);
  const deadline = performance.now() + 1000 * lockTimeout;
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      if (tryLock(fd, 'exclusive') && isAt(fd, path)) {
        const file = readRemotesFile(path);
        if (change(file)) writeRemotesFile(repository.path, file);
        return file;
      }
    } finally {
      closeSync(fd);
    }
    if (performance.now() >= deadline) {
      throw new CfsError('LOCKED', `Cannot lock ${path}: another process has it, waited ${lockTimeout} s`, { path });
    }
    await sleep(PAUSE, undefined, signal === undefined ? {} : { signal });
  }
}

/** False once the file at `path` has been replaced by another one. */
function isAt(fd: number, path: string): boolean {
  const [open, there] = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true, throwIfNoEntry: false })];
  return open.dev === there?.dev && open.ino === there.ino;
}

/** Replaces the file as a whole, durably. Only its owner may read it: URLs may hold passwords. */
function writeRemotesFile(repository: string, { path, keyFile }: RemoteFile): void {
  const temporary = join(repository, temporaryName(TEMPORARY_FILE));
  try {
    writeFileSync(temporary, keyFile.toString(), { flag: 'wx', mode: 0o600, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectories(new Set([repository]));
}
