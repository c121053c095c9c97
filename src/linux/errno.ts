/** Failures of our own system calls, in the shape of those of Node's: `code`, `errno`, `syscall`, `path`. */
import { getSystemErrorMap } from 'node:util';

/** Numbers on x86-64 and arm64 that callers act upon. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const ENXIO = 6;
export const EAGAIN = 11;
export const EBUSY = 16;
export const ENOTBLK = 15;
export const EEXIST = 17;
export const EXDEV = 18;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOTTY = 25;
export const ERANGE = 34;
export const ENAMETOOLONG = 36;
export const ENOSYS = 38;
export const ENODATA = 61;
export const EOPNOTSUPP = 95;

/** Those that libuv, where the other names come from, does not know. */
const others: ReadonlyMap<number, readonly [string, string]> = new Map([
  [ENOTBLK, ['ENOTBLK', 'block device required']],
  [37, ['ENOLCK', 'no locks available']],
  [74, ['EBADMSG', 'bad message']],
  [117, ['EUCLEAN', 'structure needs cleaning']],
  [126, ['ENOKEY', 'required key not available']],
  [129, ['EKEYREJECTED', 'key was rejected by service']],
]);

export class SystemError extends Error {
  /** As Node has it: negative. */
  readonly errno: number;
  /** The name, such as `ENOTSUP`. Both EOPNOTSUPP and ENOTSUP are number 95, called `ENOTSUP`. */
  readonly code: string;
  readonly syscall: string;
  declare readonly path?: string;

  constructor(errno: number, syscall: string, path?: string, detail?: string) {
    const [code, meaning] = others.get(errno) ?? getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
    const where = path === undefined ? '' : ` '${path}'`;
    super(`${code}: ${meaning}, ${syscall}${where}${detail === undefined ? '' : `: ${detail}`}`);
    this.name = 'SystemError';
    this.errno = -errno;
    this.code = code;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
  }
}

/** True for a failed system call with one of these numbers. */
export function isErrno(error: unknown, ...numbers: readonly number[]): error is SystemError {
  return error instanceof SystemError && numbers.includes(-error.errno);
}
