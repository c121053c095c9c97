/** Files that must be regular ones: a named pipe would be waited for, and a device read without end. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { CfsError } from '../../bytes/errors.ts';

/** Opens it to be read. @throws CfsError CORRUPT for anything else that is there. */
export function openRegularFile(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new CfsError('CORRUPT', `${path} is no regular file`, { path });
}

/** All of it. @throws CfsError CORRUPT, and LIMIT beyond `limit` bytes (1 GiB). */
export function readRegularFile(path: string, limit = 2 ** 30): Buffer {
  const fd = openRegularFile(path);
  try {
    return readOpenFile(fd, path, limit);
  } finally {
    closeSync(fd);
  }
}

/** The same of one that is open. @param path for messages. */
export function readOpenFile(fd: number, path: string, limit: number): Buffer {
  const { size } = fstatSync(fd);
  if (size > limit) throw new CfsError('LIMIT', `${path} has ${size} bytes, the most is ${limit}`, { path, size });
  return readFileSync(fd);
}
