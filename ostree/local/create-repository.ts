/** Making an empty repository: its folders, then its `config`, which makes it one. */
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CfsError } from '../../bytes/errors.ts';
import type { RepositoryMode } from './config.ts';

const folders = ['extensions', 'objects', 'refs/heads', 'refs/mirrors', 'refs/remotes', 'state', 'tmp/cache'];

/**
 * Makes a repository at `path`, folders above it included.
 * @throws CfsError CONFLICT if one is there.
 */
export function createLocalRepository(path: string, mode: RepositoryMode): void {
  const config = join(path, 'config');
  if (lstatSync(config, { throwIfNoEntry: false }) !== undefined) {
    throw new CfsError('CONFLICT', `There is an OSTree repository at ${path} already`, { path });
  }
  for (const folder of folders) mkdirSync(join(path, folder), { recursive: true });
  const name = mode === 'archive' ? 'archive-z2' : mode;
  const temporary = `${config}.new`;
  const fd = openSync(temporary, 'w', 0o644);
  try {
    writeSync(fd, `[core]\nrepo_version=1\nmode=${name}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, config);
  for (const folder of [path, resolve(path, '..')]) syncFolder(folder);
}

/** Makes the entries of a folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
