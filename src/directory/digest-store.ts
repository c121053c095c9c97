/**
 * A digest store, as mkcomposefs fills it: the objects of a directory as `xx/DIGEST`, for use below an overlay. It is nothing
 * but these files, so each is written out to the disk before it gets its name.
 */
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import { listDirectory } from '../repository/links.ts';
import type { ContentTask } from './content-file.ts';

/** Files that may be open and wait for their names: below the usual limit of a process. */
const BATCH = 512;

/** What to do with contents: their digests, and objects in the store at `path` if there is one. */
export function digestStoreTask(path: string | undefined): ContentTask {
  if (path === undefined) return { algorithm: 'sha256', writer: undefined, batch: 0 };
  const objects = resolve(path);
  makeDirectories(objects);
  const prefixes = new Set(listDirectory(objects).map(({ name }) => name));
  return {
    algorithm: 'sha256',
    writer: { objects, algorithm: 'sha256', secure: false, trySeal: true, suspect: false, fsync: false, prefixes },
    batch: BATCH,
  };
}

/** Node's own `recursive` never ends where the system lets no directory be made, as in `/proc`. */
function makeDirectories(path: string): void {
  try {
    mkdirSync(path, 0o755);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    if (!hasCode(error, 'ENOENT') || path === '/') throw error;
    makeDirectories(dirname(path));
    mkdirSync(path, 0o755);
  }
}
