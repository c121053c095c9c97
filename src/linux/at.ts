/**
 * System calls on a name in a directory that is open. They follow no symlink and cannot leave the directory, whatever
 * happens to its path meanwhile. Names are byte strings: one character per byte.
 */
import { viewOf } from '../../bytes/struct.ts';
import { ENAMETOOLONG, SystemError } from './errno.ts';
import { lastErrno, libcFunction } from './libc.ts';

/** The directory that stands for the working directory of the process, so that names are paths. */
export const AT_FDCWD = -100;

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const O_NOFOLLOW = process.arch === 'arm64' ? 0o100000 : 0o400000;
const O_CLOEXEC = 0o2000000;
/** Longest path, with its NUL. */
const PATH_MAX = 4096;

const openatCall = libcFunction<[number, Uint8Array, number]>('openat', 'int', ['int', 'void *', 'int'], {
  repeatable: true,
});
const statxCall = libcFunction<[number, Uint8Array, number, number, Uint8Array]>(
  'statx',
  'int',
  ['int', 'void *', 'int', 'uint', 'void *'],
  { repeatable: true },
);
const readlinkatCall = libcFunction<[number, Uint8Array, Uint8Array, number]>(
  'readlinkat',
  'intptr',
  ['int', 'void *', 'void *', 'size_t'],
  { repeatable: true },
);

const nameBuffer = Buffer.allocUnsafeSlow(PATH_MAX);
const linkBuffer = Buffer.allocUnsafeSlow(PATH_MAX);
/** `struct statx`. */
const record = Buffer.allocUnsafeSlow(256);
const view = viewOf(record);
const EMPTY = Buffer.from([0]);

function cName(name: string, syscall: string): Uint8Array {
  if (name.length >= PATH_MAX) throw new SystemError(ENAMETOOLONG, syscall, name);
  nameBuffer.write(name, 'latin1');
  nameBuffer[name.length] = 0;
  return nameBuffer;
}

/** Opens a name. @throws SystemError ELOOP for a symlink */
export function openAt(directory: number, name: string, flags: number): number {
  const fd = openatCall(directory, cName(name, 'openat'), flags | O_NOFOLLOW | O_CLOEXEC);
  if (fd === -1) throw new SystemError(lastErrno(), 'openat', name);
  return fd;
}

/** What the kernel tells of a file. */
export interface FileStat {
  /** With the type bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSec: bigint;
  readonly mtimeNsec: number;
  /** Time of the last change of content or metadata, in seconds and nanoseconds. */
  readonly ctimeSec: number;
  readonly ctimeNsec: number;
  /** Device number of a device node as glibc encodes it, its low 32 bits. */
  readonly rdev: number;
  /** Numbers of device and inode. */
  readonly identity: readonly [major: number, minor: number, low: number, high: number];
}

/** A key that two names of one file have in common, and no other file has meanwhile. */
export function identityKey({ identity }: FileStat): string {
  return identity.join(':');
}

/** Of a name. */
export function statAt(directory: number, name: string): FileStat {
  if (statxCall(directory, cName(name, 'statx'), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, record) === -1) {
    throw new SystemError(lastErrno(), 'statx', name);
  }
  return decode();
}

/** Of an open file. */
export function statOpen(fd: number): FileStat {
  if (statxCall(fd, EMPTY, AT_EMPTY_PATH, STATX_BASIC_STATS, record) === -1) {
    throw new SystemError(lastErrno(), 'statx', `/proc/self/fd/${fd}`);
  }
  return decode();
}

function decode(): FileStat {
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): number => u32(at) + u32(at + 4) * 2 ** 32;
  const [major, minor] = [u32(128), u32(132)];
  return {
    mode: view.getUint16(28, true),
    nlink: u32(16),
    uid: u32(20),
    gid: u32(24),
    size: u64(40),
    mtimeSec: view.getBigInt64(112, true),
    mtimeNsec: u32(120),
    ctimeSec: Number(view.getBigInt64(96, true)),
    ctimeNsec: u32(104),
    rdev: (((minor & 0xfff00) << 12) | ((major & 0xfff) << 8) | (minor & 0xff)) >>> 0,
    identity: [u32(136), u32(140), u32(32), u32(36)],
  };
}

/** The target of a symlink, as a byte string. */
export function readLinkAt(directory: number, name: string): string {
  const length = readlinkatCall(directory, cName(name, 'readlinkat'), linkBuffer, linkBuffer.length);
  if (length === -1) throw new SystemError(lastErrno(), 'readlinkat', name);
  return linkBuffer.toString('latin1', 0, length);
}
