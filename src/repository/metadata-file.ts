/** `meta.json` on disk: its fs-verity state, not a field of it, says whether a repository is secure. */
import { closeSync, constants, fsyncSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, hasCode, UnsupportedError } from '../../bytes/errors.ts';
import { EEXIST } from '../linux/errno.ts';
import { linkOpenFile, O_TMPFILE, renameNoReplace } from '../linux/files.ts';
import { enableVerity, measureVerity } from '../linux/ioctl.ts';
import { openRegularFile, readOpenFile } from '../linux/regular-file.ts';
import { algorithmNumber, isObjectId, type HashAlgorithm } from '../verity/object-id.ts';
import { TEMPORARY_FILE, temporaryName } from './layout.ts';
import { objectFiles } from './object-files.ts';
import { formatMetadata, newMetadata, parseMetadata, type Metadata } from './metadata.ts';

export const MAX_METADATA_FILE = 1024 * 1024;

export interface MetadataFile {
  readonly metadata: Metadata;
  readonly secure: boolean;
}

/** Undefined if there is no `meta.json`. @throws FormatError, UnsupportedError; CfsError CORRUPT, LIMIT for what cannot be that. */
export function readMetadata(root: string): MetadataFile | undefined {
  const path = join(root, 'meta.json');
  let fd: number;
  try {
    fd = openRegularFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const metadata = parseMetadata(readOpenFile(fd, path, MAX_METADATA_FILE).toString());
    return { metadata, secure: isSecure(fd, metadata.algorithm, path) };
  } finally {
    closeSync(fd);
  }
}

function isSecure(fd: number, algorithm: HashAlgorithm, path: string): boolean {
  const measured = measureVerity(fd);
  if (typeof measured === 'string') return false;
  if (measured.algorithm === algorithmNumber(algorithm)) return true;
  throw new CfsError('CORRUPT', `The fs-verity algorithm of ${path} is not the repository's ${algorithm}`, { path });
}

/**
 * Writes `meta.json` as a whole, durably but for its directory entry; false if it exists already.
 *
 * @param secure give it fs-verity. @throws UnsupportedError where that is not to be had.
 */
export function writeMetadata(root: string, metadata: Metadata, secure: boolean): boolean {
  const path = join(root, 'meta.json');
  const text = formatMetadata(metadata);
  let fd: number;
  try {
    fd = openSync(root, O_TMPFILE | constants.O_RDWR, 0o644);
  } catch (error) {
    if (!hasCode(error, 'ENOTSUP', 'EISDIR', 'EINVAL')) throw error;
    return writeNamed(root, text, metadata, secure);
  }
  try {
    writeSync(fd, text);
    fsyncSync(fd);
    if (secure) {
      const sealed = openSync(`/proc/self/fd/${fd}`, 'r');
      closeSync(fd);
      fd = sealed;
      seal(fd, metadata.algorithm, path);
    }
    const directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return linkOpenFile(fd, directory, 'meta.json') !== EEXIST;
    } finally {
      closeSync(directory);
    }
  } finally {
    closeSync(fd);
  }
}

/** Where unnamed files are not supported. */
function writeNamed(root: string, text: string, { algorithm }: Metadata, secure: boolean): boolean {
  const path = join(root, 'meta.json');
  const temporary = join(root, temporaryName(TEMPORARY_FILE));
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode: 0o644, flush: true });
    if (secure) {
      const sealed = openSync(temporary, 'r');
      try {
        seal(sealed, algorithm, path);
      } finally {
        closeSync(sealed);
      }
    }
    return renameNoReplace(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function seal(fd: number, algorithm: HashAlgorithm, path: string): void {
  try {
    enableVerity(fd, algorithmNumber(algorithm));
  } catch (cause) {
    if (!hasCode(cause, 'ENOTTY', 'ENOTSUP')) throw cause;
    throw new UnsupportedError(
      `Cannot enable fs-verity on ${path}: the file system or kernel lacks it; an insecure repository does without`,
      { path },
      cause,
    );
  }
}

/** What the first object of a repository without `meta.json` tells; undefined if it has none. */
export function inferMetadata(root: string): MetadataFile | undefined {
  for (const { prefix, names } of objectFiles(root)) {
    for (const name of names) {
      const algorithm = (['sha256', 'sha512'] as const).find((each) => isObjectId(prefix + name, each));
      if (algorithm === undefined) continue;
      const fd = openRegularFile(join(root, 'objects', prefix, name));
      try {
        // composefs-rs makes these repositories ones of EROFS format 1.
        return { metadata: newMetadata(algorithm), secure: typeof measureVerity(fd) === 'object' };
      } finally {
        closeSync(fd);
      }
    }
  }
  return undefined;
}
