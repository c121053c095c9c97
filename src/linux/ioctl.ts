/**
 * ioctls for reflinks and fs-verity. Numbers from Linux `include/uapi/linux/{fs,fsverity}.h`; they are the same on x86-64 and
 * arm64.
 */
import { hasCode } from '../../bytes/errors.ts';
import { toHex } from '../../bytes/hex.ts';
import { bytes, struct, u16, u32, viewOf } from '../../bytes/struct.ts';
import { EEXIST, ENODATA, ENOTTY, EOPNOTSUPP, SystemError } from './errno.ts';
import { check, lastErrno, libcFunction } from './libc.ts';

const FICLONE = 0x40049409;
const FS_IOC_ENABLE_VERITY = 0x40806685;
const FS_IOC_MEASURE_VERITY = 0xc0046686;

const ioctlNumber = libcFunction<[number, number, number]>('ioctl', 'int', ['int', 'ulong', 'intptr'], {
  repeatable: true,
});
const ioctlPointer = libcFunction<[number, number, Uint8Array]>('ioctl', 'int', ['int', 'ulong', 'void *'], {
  repeatable: true,
});

/** An ioctl whose argument is a number. Throws SystemError. */
export function ioctlWithNumber(fd: number, request: number, value: number, name: string): number {
  return check(ioctlNumber(fd, request, value), `ioctl ${name}`);
}

/** An ioctl whose argument points to a record, which the kernel may fill. Throws SystemError. */
export function ioctlWithRecord(fd: number, request: number, record: Uint8Array, name: string): number {
  return check(ioctlPointer(fd, request, record), `ioctl ${name}`);
}

/** Makes `to` share the blocks of all of `from`. Throws EXDEV or ENOTSUP where the file systems cannot. */
export function reflink(to: number, from: number): void {
  ioctlWithNumber(to, FICLONE, from, 'FICLONE');
}

/** What a file system says that cannot share blocks between these two files. */
const CANNOT_REFLINK = ['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'EPERM', 'EACCES'];

/** As `reflink`; false where the file systems cannot. */
export function tryReflink(to: number, from: number): boolean {
  try {
    reflink(to, from);
    return true;
  } catch (error) {
    if (!hasCode(error, ...CANNOT_REFLINK)) throw error;
    return false;
  }
}

const enableArg = struct('fsverity_enable_arg', 128, {
  version: [0, u32],
  hash_algorithm: [4, u32],
  block_size: [8, u32],
});

/**
 * Makes the kernel build the Merkle tree of a file that nobody has open for writing, and the file read-only for good.
 * `fd` is open for reading; `algorithm` 1 is sha256, 2 sha512. A file that has verity already is left as it is.
 * Throws ETXTBSY for a file open for writing, ENOTTY or ENOTSUP where kernel or file system have no fs-verity.
 */
export function enableVerity(fd: number, algorithm: 1 | 2): void {
  const record = new Uint8Array(enableArg.size);
  enableArg.write(viewOf(record), 0, { version: 1, hash_algorithm: algorithm, block_size: 4096 });
  if (ioctlPointer(fd, FS_IOC_ENABLE_VERITY, record) === 0) return;
  const errno = lastErrno();
  if (errno !== EEXIST) throw new SystemError(errno, 'ioctl FS_IOC_ENABLE_VERITY');
}

const digestRecord = struct('fsverity_digest', 4 + 64, {
  digest_algorithm: [0, u16],
  digest_size: [2, u16],
  digest: [4, bytes(64)],
});

/**
 * The digest that the kernel vouches for: 'missing' for a file without verity, 'unsupported' where kernel or file system
 * have no fs-verity.
 */
export function measureVerity(fd: number): { algorithm: number; digest: string } | 'missing' | 'unsupported' {
  const record = new Uint8Array(digestRecord.size);
  digestRecord.write(viewOf(record), 0, { digest_size: 64 });
  if (ioctlPointer(fd, FS_IOC_MEASURE_VERITY, record) === -1) {
    const errno = lastErrno();
    if (errno === ENODATA) return 'missing';
    if (errno === ENOTTY || errno === EOPNOTSUPP) return 'unsupported';
    throw new SystemError(errno, 'ioctl FS_IOC_MEASURE_VERITY');
  }
  const { digest_algorithm, digest_size, digest } = digestRecord.read(viewOf(record));
  return { algorithm: digest_algorithm, digest: toHex(digest.subarray(0, digest_size)) };
}
