/** System calls on files that Node lacks: unnamed files that get a name when they are complete, `syncfs`, `RENAME_NOREPLACE`. */
import { readFileSync } from 'node:fs';
import { EEXIST, ENOENT, EPERM, SystemError } from './errno.ts';
import { check, lastErrno, libcFunction } from './libc.ts';

/** `open` flag: an unnamed file in the directory that is opened. Includes O_DIRECTORY, as on x86-64 and arm64. */
export const O_TMPFILE = process.arch === 'arm64' ? 0o20040000 : 0o20200000;

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_EMPTY_PATH = 0x1000;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

const linkat = libcFunction<[number, string, number, string, number]>(
  'linkat',
  'int',
  ['int', 'const char *', 'int', 'const char *', 'int'],
  { repeatable: true },
);
const renameat2 = libcFunction<[number, string, number, string, number]>(
  'renameat2',
  'int',
  ['int', 'const char *', 'int', 'const char *', 'uint'],
  { repeatable: true },
);
const syncfsCall = libcFunction<[number]>('syncfs', 'int', ['int']);

let emptyPathAllowed = true;

/**
 * Gives the open file `fd` (O_TMPFILE, or any with a link count above zero) the name `path`, relative to the directory
 * `directory` (a descriptor). Answers 0, or the number of EEXIST or ENOENT (no such directory), which callers meet as a matter
 * of course; throws anything else.
 *
 * AT_EMPTY_PATH spares the kernel a walk through /proc, but wants CAP_DAC_READ_SEARCH (before Linux 6.10), so the first
 * refusal turns to the path in /proc for good.
 */
export function linkOpenFile(fd: number, directory: number, path: string): number {
  if (emptyPathAllowed) {
    if (linkat(fd, '', directory, path, AT_EMPTY_PATH) === 0) return 0;
    const errno = lastErrno();
    if (errno === EEXIST) return errno;
    if (errno !== ENOENT && errno !== EPERM) throw new SystemError(errno, 'linkat', path);
  }
  // ENOENT above is either the missing directory or the missing capability: only this call tells which.
  if (linkat(AT_FDCWD, `/proc/self/fd/${fd}`, directory, path, AT_SYMLINK_FOLLOW) === 0) {
    emptyPathAllowed = false;
    return 0;
  }
  const errno = lastErrno();
  if (errno === EEXIST) emptyPathAllowed = false;
  if (errno === EEXIST || errno === ENOENT) return errno;
  throw new SystemError(errno, 'linkat', path);
}

/**
 * The process's umask. `process.umask()` asks by setting it to 0 for a moment, in which other threads would create files
 * without one.
 */
export function currentUmask(): number {
  const match = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return match?.[1] === undefined ? 0o777 : Number.parseInt(match[1], 8);
}

/** Renames unless `to` exists; false if it does. */
export function renameNoReplace(from: string, to: string): boolean {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0) return true;
  const errno = lastErrno();
  if (errno === EEXIST) return false;
  throw new SystemError(errno, 'renameat2', from);
}

/** Lets two files or folders change places, so that each name has one or the other at any moment. */
export function exchange(a: string, b: string): void {
  check(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), 'renameat2', a);
}

/** Writes back everything of the file system that `fd` lies on, and waits for it. Reports write errors since the open. */
export function syncfs(fd: number): void {
  check(syncfsCall(fd), 'syncfs');
}
