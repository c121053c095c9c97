/** Writing refs of a repository on disk, each in one step and durably. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { checkRefName } from '../ref.ts';
import { syncFolder } from './create-repository.ts';

/**
 * Points `refs/heads/REF` of the repository at `path` to `commit`.
 * @param temporary a path on the same file system where nothing is.
 * @throws CfsError FORMAT for what cannot be a ref; CONFLICT where a folder of refs has that name, or a ref the name of a folder.
 */
export function writeLocalRef(path: string, ref: string, commit: OstreeChecksum, temporary: string): void {
  checkRefName(ref);
  const heads = join(path, 'refs/heads');
  const fd = openSync(temporary, 'wx', 0o644);
  try {
    writeSync(fd, `${commit}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  const file = join(heads, ref);
  try {
    mkdirSync(dirname(file), { recursive: true });
    renameSync(temporary, file);
  } catch (error) {
    if (!hasCode(error, 'EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY')) throw error;
    throw new CfsError(
      'CONFLICT',
      `Cannot write ref ${ref} of ${path}: another ref's name is in its way`,
      { ref },
      error,
    );
  }
  for (let folder = dirname(file); folder.length >= heads.length; folder = dirname(folder)) syncFolder(folder);
}
