/** Symlinks of a repository: placing them atomically, reading and listing them. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { linkText, TEMPORARY_LINK, temporaryName } from './layout.ts';

/** Directories that changed and are to be synced, as absolute paths. */
export type TouchedDirectories = Set<string>;

/**
 * Makes the symlink `link` point to `target`, both relative to `root`. An existing symlink is replaced in one step, by renaming
 * a temporary one from the root over it, so that no reader finds it missing.
 *
 * @throws CfsError CONFLICT where something else than a symlink, or above it than a directory, is in the way.
 */
export function placeLink(root: string, link: string, target: string, touched: TouchedDirectories): void {
  const path = join(root, link);
  const text = linkText(link, target);
  makeDirectories(root, dirname(link), touched);
  touched.add(dirname(path));
  try {
    symlinkSync(text, path);
    return;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  if (readLink(path) === text) return;
  const temporary = join(root, temporaryName(TEMPORARY_LINK));
  symlinkSync(text, temporary);
  try {
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    if (hasCode(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST')) throw inTheWay(path, 'symlink', error);
    throw error;
  }
}

function inTheWay(path: string, wanted: 'symlink' | 'directory', cause: unknown): CfsError {
  return new CfsError('CONFLICT', `Cannot use ${path}: something that is no ${wanted} is there`, { path }, cause);
}

function makeDirectories(root: string, directory: string, touched: TouchedDirectories): void {
  let path = root;
  for (const part of directory.split('/')) {
    const parent = path;
    path = join(path, part);
    try {
      mkdirSync(path, 0o755);
      touched.add(parent);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw inTheWay(path, 'directory', error);
    }
  }
}

/** Makes the entries of these directories durable. */
export function syncDirectories(touched: TouchedDirectories): void {
  for (const path of touched) {
    const fd = openSync(path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
  touched.clear();
}

/** The text of a symlink, or undefined if nothing is there. @throws CfsError CONFLICT for anything else than a symlink. */
export function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (hasCode(error, 'EINVAL')) throw inTheWay(path, 'symlink', error);
    throw error;
  }
}

export interface Entry {
  readonly name: string;
  readonly type: 'symlink' | 'directory' | 'other';
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The entries of a directory by name; none if there is no such directory. @throws CfsError CORRUPT for a name that is not UTF-8. */
export function listDirectory(path: string): Entry[] {
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  return entries
    .map((entry): Entry => {
      let name: string;
      try {
        name = utf8.decode(entry.name);
      } catch (cause) {
        throw new CfsError(
          'CORRUPT',
          `Cannot list ${path}: the name '${entry.name.toString()}' is not UTF-8`,
          { path },
          cause,
        );
      }
      const type = entry.isSymbolicLink() ? 'symlink' : entry.isDirectory() ? 'directory' : 'other';
      return { name, type };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
