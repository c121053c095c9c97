/**
 * Read-only composefs mounts: an EROFS image with an overlay above it, whose data-only layer is the object directory.
 *
 * The new mount API (fsopen, fsconfig, fsmount, move_mount) mounts the image file directly where the kernel can (Linux 6.12,
 * CONFIG_EROFS_FS_BACKED_BY_FILE), else through a loop device. The EROFS mount stays attached nowhere: the overlay keeps it
 * alive, so one unmount takes away everything.
 */
import { closeSync, constants, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, struct, u32, u64, viewOf } from '../../bytes/struct.ts';
import { UnsupportedError } from '../../bytes/errors.ts';
import { EBUSY, EINVAL, ENOENT, ENOTBLK, ENXIO, EOPNOTSUPP, SystemError } from './errno.ts';
import { ioctlWithNumber, ioctlWithRecord } from './ioctl.ts';
import { check, cString, lastErrno, libcFunction } from './libc.ts';

/** System call numbers, the same on x86-64 and arm64. */
const SYS_move_mount = 429;
const SYS_fsopen = 430;
const SYS_fsconfig = 431;
const SYS_fsmount = 432;

const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CMD_CREATE = 6;
const CLOEXEC = 1;
const MOUNT_ATTR_RDONLY = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_FDCWD = -100;
const MNT_DETACH = 2;

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;

const fsopen = libcFunction<[number, string, number]>('syscall', 'intptr', ['intptr', 'const char *', 'uint']);
const fsconfig = libcFunction<[number, number, number, string | null, Uint8Array | null, number]>('syscall', 'intptr', [
  'intptr',
  'int',
  'uint',
  'const char *',
  'void *',
  'int',
]);
const fsmount = libcFunction<[number, number, number, number]>('syscall', 'intptr', ['intptr', 'int', 'uint', 'uint']);
const moveMount = libcFunction<[number, number, string, number, string, number]>('syscall', 'intptr', [
  'intptr',
  'int',
  'const char *',
  'int',
  'const char *',
  'uint',
]);
const read = libcFunction<[number, Uint8Array, number]>('read', 'intptr', ['int', 'void *', 'size_t']);
const umount2 = libcFunction<[string, number]>('umount2', 'int', ['const char *', 'int']);

/** A file system that is being configured. `using` closes it. */
class FsContext {
  readonly #fd: number;
  readonly #type: string;

  constructor(type: string) {
    this.#type = type;
    this.#fd = check(fsopen(SYS_fsopen, type, CLOEXEC), 'fsopen', type);
  }

  flag(key: string): this {
    return this.#config(FSCONFIG_SET_FLAG, key, null, 0);
  }

  string(key: string, value: string): this {
    return this.#config(FSCONFIG_SET_STRING, key, cString(value), 0);
  }

  fd(key: string, fd: number): this {
    return this.#config(FSCONFIG_SET_FD, key, null, fd);
  }

  /** Creates the file system and gives the descriptor of its detached, read-only mount. */
  mount(): number {
    this.#config(FSCONFIG_CMD_CREATE, null, null, 0);
    return check(fsmount(SYS_fsmount, this.#fd, CLOEXEC, MOUNT_ATTR_RDONLY), 'fsmount', this.#type);
  }

  #config(command: number, key: string | null, value: Uint8Array | null, aux: number): this {
    if (fsconfig(SYS_fsconfig, this.#fd, command, key, value, aux) === -1) {
      const errno = lastErrno();
      const what = key === null ? this.#type : `${this.#type} ${key}`;
      throw new SystemError(errno, 'fsconfig', what, this.#messages());
    }
    return this;
  }

  /** What the kernel logged about this context, such as "e erofs: cannot find valid erofs superblock". */
  #messages(): string | undefined {
    const buffer = Buffer.alloc(4096);
    const texts: string[] = [];
    for (;;) {
      const length = read(this.#fd, buffer, buffer.length);
      if (length <= 0) break;
      texts.push(buffer.toString('utf8', 0, length).trim());
    }
    return texts.length > 0 ? texts.join('; ') : undefined;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function erofsContext(source: string): number {
  using context = new FsContext('erofs');
  return context.flag('ro').string('source', source).mount();
}

function isErrno(error: unknown, ...numbers: readonly number[]): error is SystemError {
  return error instanceof SystemError && numbers.includes(-error.errno);
}

/** Mounts an EROFS image read-only, detached; gives the descriptor of the mount, which lives as long as it is open. */
export function mountErofs(image: string): number {
  try {
    return erofsContext(image);
  } catch (error) {
    // Older kernels want a block device: ENOTBLK, or before they knew fs contexts here, EINVAL and ENOENT.
    if (!isErrno(error, ENOTBLK, EINVAL, ENOENT)) throw error;
    const file = openSync(image, constants.O_RDONLY);
    try {
      const loop = attachLoop(file);
      try {
        return erofsContext(loop.path);
      } catch (loopError) {
        throw isErrno(error, ENOTBLK)
          ? loopError
          : new AggregateError([error, loopError], String(error), { cause: error });
      } finally {
        closeSync(loop.fd);
      }
    } finally {
      closeSync(file);
    }
  }
}

const loopConfig = struct('loop_config', 304, {
  fd: [0, u32],
  block_size: [4, u32],
  lo_offset: [8 + 24, u64],
  lo_flags: [8 + 52, u32],
  lo_file_name: [8 + 56, bytes(64)],
});

/** A read-only loop device over an open file; it vanishes with its last user. */
export function attachLoop(file: number): { path: string; fd: number } {
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    for (let attempt = 0; ; attempt++) {
      const path = `/dev/loop${ioctlWithNumber(control, LOOP_CTL_GET_FREE, 0, 'LOOP_CTL_GET_FREE')}`;
      const fd = openSync(path, constants.O_RDWR);
      const record = new Uint8Array(loopConfig.size);
      loopConfig.write(viewOf(record), 0, { fd: file, lo_flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR });
      try {
        ioctlWithRecord(fd, LOOP_CONFIGURE, record, 'LOOP_CONFIGURE');
        return { path, fd };
      } catch (error) {
        closeSync(fd);
        // Another process took the device between the question and the answer.
        if (!isErrno(error, EBUSY, ENXIO) || attempt >= 64) throw error;
      }
    }
  } finally {
    closeSync(control);
  }
}

export interface ComposefsMount {
  /** Path of the EROFS image. */
  readonly image: string;
  /** Path of the object directory. */
  readonly objects: string;
  /** Shown as the source of the mount: `composefs:NAME`. */
  readonly name: string;
  /** An existing directory. */
  readonly target: string;
  /** Let the overlay refuse files whose fs-verity digest is not the one in the image. */
  readonly requireVerity?: boolean;
  /** The image hides names in its root that look like those of the object directory, as the formats 0 and 1 do. */
  readonly hidesObjects?: boolean;
}

/**
 * Mounts a composefs image read-only. With `requireVerity` on a file system without fs-verity the mount succeeds, but reading
 * any external file fails with EIO: measure an object first.
 */
export function mountComposefs(mount: ComposefsMount): void {
  const { image, name, target, requireVerity = false } = mount;
  const erofs = mountErofs(image);
  let overlay: number;
  try {
    overlay = mountOverlayAnyhow(erofs, mount);
  } catch (error) {
    if (!requireVerity || !isRefusal(error)) throw error;
    throw new UnsupportedError(
      `Cannot mount ${name} with fs-verity: the kernel refuses; overlayfs verifies files from Linux 6.6 on`,
      {},
      error,
    );
  } finally {
    closeSync(erofs);
  }
  try {
    attach(overlay, target);
  } finally {
    closeSync(overlay);
  }
}

function attach(mount: number, target: string): void {
  check(moveMount(SYS_move_mount, mount, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), 'move_mount', target);
}

/** True for what kernels say of options and layers that they do not know. */
function isRefusal(error: unknown): error is SystemError {
  return isErrno(error, EINVAL, EOPNOTSUPP);
}

/** Before Linux 6.15, overlayfs takes no layer that is not mounted somewhere; so it is, for a moment. */
function mountOverlayAnyhow(erofs: number, mount: ComposefsMount): number {
  try {
    return mountOverlay(erofs, mount);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  const path = mkdtempSync(join(tmpdir(), '.cfs-mount-'));
  try {
    attach(erofs, path);
    const layer = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return mountOverlay(layer, mount);
    } finally {
      closeSync(layer);
      unmount(path, { lazy: true });
    }
  } finally {
    rmdirSync(path);
  }
}

function mountOverlay(
  erofs: number,
  { objects, name, requireVerity = false, hidesObjects = false }: ComposefsMount,
): number {
  const begin = (context: FsContext): FsContext => {
    context.string('source', `composefs:${name}`).string('metacopy', 'on').string('redirect_dir', 'on');
    return requireVerity ? context.string('verity', 'require') : context;
  };
  const objectsFd = openSync(objects, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // Descriptors (6.13), then one layer per key (6.7), then one string with the data-only layer behind "::" (6.5). Before there
    // were data-only layers, the image itself hides the objects: it has whiteouts for their directories.
    const ways: ((context: FsContext) => FsContext)[] = [
      (context) => context.fd('lowerdir+', erofs).fd('datadir+', objectsFd),
      (context) => context.string('lowerdir+', fdPath(erofs)).string('datadir+', fdPath(objectsFd)),
      (context) => context.string('lowerdir', `${fdPath(erofs)}::${fdPath(objectsFd)}`),
    ];
    if (hidesObjects) ways.push((context) => context.string('lowerdir', `${fdPath(erofs)}:${fdPath(objectsFd)}`));
    let first: unknown;
    for (const layers of ways) {
      using context = new FsContext('overlay');
      try {
        return layers(begin(context)).mount();
      } catch (error) {
        if (!isRefusal(error)) throw error;
        first ??= error;
      }
    }
    throw first;
  } finally {
    closeSync(objectsFd);
  }
}

function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Unmounts; `lazy` takes it out of sight at once and lets it go with its last user. Throws EBUSY, EINVAL (no mount point). */
export function unmount(target: string, options: { lazy?: boolean } = {}): void {
  check(umount2(target, options.lazy === true ? MNT_DETACH : 0), 'umount2', target);
}
