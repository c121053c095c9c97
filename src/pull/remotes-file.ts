/**
 * The remotes of a composefs repository: the file `ostree-remotes.conf` in its root, with groups as in the `config` of an OSTree
 * repository. Other programs leave it alone.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import { KeyFile } from '../../ostree/key-file.ts';
import type { RemoteFile } from '../../ostree/remotes.ts';
import { TEMPORARY_FILE, temporaryName } from '../repository/layout.ts';
import { syncDirectories } from '../repository/links.ts';

const NAME = 'ostree-remotes.conf';

/** An empty key file if there is none. @throws FormatError */
export function readRemotesFile(repository: string): RemoteFile {
  const path = join(repository, NAME);
  const format = `remotes file ${path}`;
  try {
    return { path, keyFile: KeyFile.parse(readFileSync(path, 'utf8'), format) };
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return { path, keyFile: new KeyFile(format) };
    throw error;
  }
}

/** Replaces the file as a whole, durably. Only its owner may read it: URLs may hold passwords. */
export function writeRemotesFile(repository: string, { path, keyFile }: RemoteFile): void {
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
