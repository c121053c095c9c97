/** mount(2) and umount2(2): for kernels and sandboxes without the new mount API, and for unmounting. */
import { check, cString, libcFunction } from './libc.ts';

export const MS_RDONLY = 1;
/** Say nothing in the kernel's log when it fails. */
export const MS_SILENT = 0x8000;

const MNT_DETACH = 2;

const mount = libcFunction<[string, string, string, number, Uint8Array | null]>('mount', 'int', [
  'const char *',
  'const char *',
  'const char *',
  'ulong',
  'void *',
]);
const umount2 = libcFunction<[string, number]>('umount2', 'int', ['const char *', 'int']);

/** @param options as they stand behind `-o`, commas within values escaped. */
export function oldMount(source: string, target: string, type: string, flags: number, options: string): void {
  check(mount(source, target, type, flags, cString(options)), 'mount', target);
}

/** Unmounts; `lazy` takes it out of sight at once and lets it go with its last user. Throws EBUSY, EINVAL (no mount point). */
export function unmount(target: string, options: { lazy?: boolean } = {}): void {
  check(umount2(target, options.lazy === true ? MNT_DETACH : 0), 'umount2', target);
}
