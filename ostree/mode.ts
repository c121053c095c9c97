/** Owners, and the file type and permission bits of `st_mode`, as OSTree stores them. */
import { FormatError } from '../bytes/errors.ts';

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
/** Every bit that a stored mode may have besides its type. */
export const PERMISSION_BITS = 0o7777;

/** True when `mode` has nothing but the type `type` and permission bits. */
export function isModeOfType(mode: number, type: number): boolean {
  return (mode & S_IFMT) === type && (mode & ~(S_IFMT | PERMISSION_BITS)) === 0;
}

/** Throws a `FormatError` unless both numbers fit 32 bits. */
export function checkOwner({ uid, gid }: { readonly uid: number; readonly gid: number }, format: string): void {
  for (const [field, id] of [
    ['uid', uid],
    ['gid', gid],
  ] as const) {
    if (id >>> 0 !== id) throw new FormatError(format, field, `${id} is not an unsigned 32-bit number`);
  }
}
