/**
 * Extended attributes. Names are byte strings: one character per byte, as in file trees. Paths are text, or bytes where a name
 * is not UTF-8. The `l` functions do not follow a symlink.
 */
import { ENODATA, ERANGE, SystemError } from './errno.ts';
import { cString, lastErrno, libcFunction, type CType, type CValue } from './libc.ts';

export type PathOrFd = string | Uint8Array | number;

const read: readonly CType[] = ['void *', 'void *', 'size_t'];
const write: readonly CType[] = ['void *', 'size_t', 'int'];
const repeatable = { repeatable: true };
const calls = {
  lgetxattr: libcFunction<CValue[]>('lgetxattr', 'intptr', ['void *', ...read], repeatable),
  fgetxattr: libcFunction<CValue[]>('fgetxattr', 'intptr', ['int', ...read], repeatable),
  llistxattr: libcFunction<CValue[]>('llistxattr', 'intptr', ['void *', 'void *', 'size_t'], repeatable),
  flistxattr: libcFunction<CValue[]>('flistxattr', 'intptr', ['int', 'void *', 'size_t'], repeatable),
  lsetxattr: libcFunction<CValue[]>('lsetxattr', 'int', ['void *', 'void *', ...write]),
  fsetxattr: libcFunction<CValue[]>('fsetxattr', 'int', ['int', 'void *', ...write]),
};

function describe(target: PathOrFd): string {
  if (typeof target === 'number') return `/proc/self/fd/${target}`;
  return typeof target === 'string' ? target : Buffer.from(target).toString();
}

let buffer = new Uint8Array(4096);

/**
 * Calls with a buffer until the answer fits: its size may grow between the question for it and the next call. Gives a copy,
 * or undefined for ENODATA.
 */
function sized(name: keyof typeof calls, target: PathOrFd, args: readonly CValue[]): Uint8Array | undefined {
  const first = typeof target === 'number' ? target : cString(target);
  for (;;) {
    const length = calls[name](first, ...args, buffer, buffer.length);
    if (length >= 0) return buffer.slice(0, length);
    const errno = lastErrno();
    if (errno === ENODATA) return undefined;
    if (errno !== ERANGE) throw new SystemError(errno, name, describe(target));
    const needed = calls[name](first, ...args, null, 0);
    buffer = new Uint8Array(Math.max(2 * buffer.length, needed));
  }
}

/** The value, or undefined if the file has no such attribute. A descriptor reads of the open file. */
export function getXattr(target: PathOrFd, name: string): Uint8Array | undefined {
  const call = typeof target === 'number' ? 'fgetxattr' : 'lgetxattr';
  return sized(call, target, [cString(name, 'latin1')]);
}

/** Names in the order of the kernel. Without CAP_SYS_ADMIN, `trusted.*` is left out by the kernel. */
export function listXattrs(target: PathOrFd): string[] {
  const call = typeof target === 'number' ? 'flistxattr' : 'llistxattr';
  const list = sized(call, target, []);
  if (list === undefined || list.length === 0) return [];
  return Buffer.from(list.buffer, list.byteOffset, list.length - 1)
    .toString('latin1')
    .split('\0');
}

export function setXattr(target: PathOrFd, name: string, value: Uint8Array): void {
  const call = typeof target === 'number' ? 'fsetxattr' : 'lsetxattr';
  const first = typeof target === 'number' ? target : cString(target);
  const result = calls[call](first, cString(name, 'latin1'), value, value.length, 0);
  if (result === -1) throw new SystemError(lastErrno(), call, describe(target));
}
