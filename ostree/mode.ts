/** The file type and permission bits of `st_mode`, as OSTree stores them. */

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
