/**
 * Reading files of a repository that may be hostile and must not be changed: never through a final symlink, never blocking on
 * a FIFO, without touching access times where that is permitted.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Bytes that the first read of every file asks for. */
const BUFFER_SIZE = 64 * 1024;

export class FileReader {
  /** Holds what was read last. */
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_SIZE);
  #noAtime: number = constants.O_NOATIME;

  /** A descriptor; I/O errors as they are, ELOOP being a symlink. */
  open(path: string): number {
    try {
      return openSync(path, FLAGS | this.#noAtime);
    } catch (error) {
      if (hasCode(error, 'ENXIO')) throw notRegular(path);
      if (this.#noAtime === 0 || !hasCode(error, 'EPERM')) throw error;
      // Only owners may leave the access time alone; who is refused once need not ask for every file.
      const fd = openSync(path, FLAGS);
      this.#noAtime = 0;
      return fd;
    }
  }

  /** Facts of an open file; `CfsError` CORRUPT unless it is a regular one. */
  stat(fd: number, path: string): Stats {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw notRegular(path);
    return stats;
  }

  /**
   * Reads the first bytes of a file, up to `length`, into `buffer`. One read: of a regular file it gives fewer bytes only at
   * the end, so that asking again would cost a call to learn nothing.
   */
  fill(fd: number, path: string, length = BUFFER_SIZE): number {
    return readOnce(fd, path, this.buffer, 0, length, 0);
  }

  /**
   * The whole file in fresh memory; undefined if there is none. `CfsError` CORRUPT if it is not a regular file, LIMIT if it has more
   * than `limit` bytes, which is found out before memory is taken.
   */
  readWhole(path: string, limit: number): Uint8Array | undefined {
    let fd;
    try {
      fd = this.open(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (hasCode(error, 'ELOOP')) throw notRegular(path);
      throw error;
    }
    try {
      const first = this.fill(fd, path);
      // A FIFO reads as empty, and a device may give anything: only what looks like a small file needs no stat.
      if (first > 0 && first < BUFFER_SIZE && first <= limit) return Uint8Array.from(this.buffer.subarray(0, first));
      const { size } = this.stat(fd, path);
      if (size > limit) {
        throw new CfsError('LIMIT', `${path} has ${size} bytes, more than ${limit}`, { path, size, limit });
      }
      const whole = new Uint8Array(size);
      const length = readAt(fd, path, whole, 0, size);
      if (length < size) throw new CfsError('CORRUPT', `${path} became shorter while it was read`, { path });
      return whole;
    } finally {
      closeSync(fd);
    }
  }
}

/** Reads until there are `length` bytes, or the file ends. */
export function readAt(fd: number, path: string, into: Uint8Array, position: number, length: number): number {
  let done = 0;
  while (done < length) {
    const count = readOnce(fd, path, into, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function readOnce(fd: number, path: string, into: Uint8Array, at: number, length: number, position: number): number {
  try {
    return readSync(fd, into, at, length, position);
  } catch (error) {
    if (hasCode(error, 'EISDIR', 'ESPIPE', 'EAGAIN')) throw notRegular(path);
    throw error;
  }
}

export function notRegular(path: string): CfsError {
  return new CfsError('CORRUPT', `${path} is not a regular file`, { path });
}
