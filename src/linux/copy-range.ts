/** `copy_file_range`: copying within the kernel, or on a file server. */
import { EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EXDEV, isErrno, SystemError } from './errno.ts';
import { lastErrno, libcFunction } from './libc.ts';

const copyFileRange = libcFunction<[number, null, number, null, number, number]>('copy_file_range', 'intptr', [
  'int',
  'void *',
  'int',
  'void *',
  'size_t',
  'uint',
]);

/** Bytes per call, so that a signal is heard in between. */
const PIECE = 64 * 1024 * 1024;

/**
 * Copies from the position of one file to that of another, up to the end of the first.
 * @returns false where the file systems cannot, or the kernel gives less than `size` bytes; the files' positions are moved then.
 */
export function tryCopyRange(to: number, from: number, size: number): boolean {
  for (let left = size; left > 0;) {
    const copied = copyFileRange(from, null, to, null, Math.min(left, PIECE), 0);
    if (copied === -1) {
      const error = new SystemError(lastErrno(), 'copy_file_range');
      if (isErrno(error, EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM)) return false;
      throw error;
    }
    // Some file systems of /proc's kind answer so.
    if (copied === 0) return false;
    left -= copied;
  }
  return true;
}
