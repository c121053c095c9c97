/**
 * composefs mounts: an EROFS image with an overlay above it, whose data-only layers are the object directories, and whose upper layer
 * takes what is written.
 *
 * The new mount API mounts the image file directly where the kernel can (Linux 6.12, CONFIG_EROFS_FS_BACKED_BY_FILE), else through a
 * loop device. The EROFS mount stays attached nowhere: the overlay keeps it alive, so one unmount takes away everything. Where there
 * is no new mount API, mount(2) does the same with the image attached for a moment.
 */
import { closeSync, constants, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { UnsupportedError } from '../../bytes/errors.ts';
import { EINVAL, ENODEV, ENOENT, ENOSYS, ENOTBLK, EOPNOTSUPP, EPERM, isErrno } from './errno.ts';
import { attachMount, FsContext, mapOwners } from './fs-context.ts';
import { attachLoop } from './loop.ts';
import { MS_RDONLY, MS_SILENT, oldMount, unmount } from './old-mount.ts';

export interface ErofsOptions {
  /** The image has no POSIX ACLs: the kernel need not look for any. */
  readonly noAcl?: boolean | undefined;
  /** A descriptor of a user namespace: owners are shown as it maps them. */
  readonly userNamespace?: number | undefined;
}

export interface ComposefsMount extends ErofsOptions {
  /** Path of the EROFS image. */
  readonly image: string;
  /** Paths of object directories, searched in this order. */
  readonly objects: readonly string[];
  /** Shown as the source of the mount. */
  readonly source: string;
  /** An existing directory. */
  readonly target: string;
  /** `require`: let the overlay refuse files whose fs-verity digest is not the one in the image; `try`: if the kernel can. */
  readonly verity?: 'require' | 'try' | undefined;
  /** The image hides names in its root that look like those of the object directory, as the formats 0 and 1 do. */
  readonly hidesObjects?: boolean | undefined;
  /** Directories for what is written, on one file system. */
  readonly upper?: { readonly upperdir: string; readonly workdir: string } | undefined;
  /** Let nobody write, whether there is an upper directory or not. */
  readonly readOnly: boolean;
}

/** `old`: mount(2), as where there is no new mount API. */
type MountApi = 'new' | 'old';

/**
 * Mounts a composefs image. With `verity` on a file system without fs-verity the mount succeeds, but reading any external file fails
 * with EIO: measure an object first.
 * @throws UnsupportedError for what the kernel, or its rules for this process, do not allow; SystemError
 */
export function mountComposefs(mount: ComposefsMount, api: MountApi = 'new'): void {
  try {
    if (api === 'old') mountTheOldWay(mount);
    else mountTheNewWay(mount);
  } catch (error) {
    if (api === 'new' && isErrno(error, ENOSYS)) mountComposefs(mount, 'old');
    else throw explain(error, mount);
  }
}

function explain(error: unknown, { image, verity }: ComposefsMount): unknown {
  const problem = isErrno(error, EPERM)
    ? 'mounting needs root (CAP_SYS_ADMIN)'
    : isErrno(error, ENODEV)
      ? 'this kernel lacks EROFS or overlayfs, or may not load it'
      : verity === 'require' && isRefusal(error)
        ? 'the kernel refuses fs-verity; overlayfs verifies files from Linux 6.6 on'
        : undefined;
  return problem === undefined
    ? error
    : new UnsupportedError(`Cannot mount ${image}: ${problem}`, { path: image }, error);
}

/** Mounts an EROFS image read-only, detached; gives the descriptor of the mount, which lives as long as it is open. */
export function mountErofs(image: string, options: ErofsOptions = {}): number {
  try {
    return erofsContext(image, options);
  } catch (error) {
    // Older kernels want a block device: ENOTBLK, or before they knew fs contexts here, EINVAL and ENOENT.
    if (!isErrno(error, ENOTBLK, EINVAL, ENOENT)) throw error;
    const file = openSync(image, constants.O_RDONLY);
    try {
      return withLoop(file, (device) => erofsContext(device, options));
    } catch (loopError) {
      throw isErrno(error, ENOTBLK)
        ? loopError
        : new AggregateError([error, loopError], String(error), { cause: error });
    } finally {
      closeSync(file);
    }
  }
}

function erofsContext(source: string, { noAcl = false, userNamespace }: ErofsOptions): number {
  using context = new FsContext('erofs');
  context.flag('ro').string('source', source);
  if (noAcl) context.flag('noacl');
  const mount = context.mount(true);
  try {
    if (userNamespace !== undefined) mapOwners(mount, userNamespace);
    return mount;
  } catch (error) {
    closeSync(mount);
    throw error;
  }
}

/** Runs `use` with the path of a loop device over the file, which vanishes with its last user. */
function withLoop<Result>(file: number, use: (device: string) => Result): Result {
  const loop = attachLoop(file);
  try {
    return use(loop.path);
  } finally {
    closeSync(loop.fd);
  }
}

function mountTheNewWay(mount: ComposefsMount): void {
  const erofs = mountErofs(mount.image, mount);
  let overlay: number;
  try {
    overlay = mountOverlayAnyhow(erofs, mount);
  } finally {
    closeSync(erofs);
  }
  try {
    attachMount(overlay, mount.target);
  } finally {
    closeSync(overlay);
  }
}

/** True for what kernels say of options and layers that they do not know. */
function isRefusal(error: unknown): boolean {
  return isErrno(error, EINVAL, EOPNOTSUPP);
}

/** Before Linux 6.15, overlayfs takes no layer that is not mounted somewhere; so it is, for a moment. */
function mountOverlayAnyhow(erofs: number, mount: ComposefsMount): number {
  try {
    return mountOverlay(erofs, mount);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  return withMountPoint(
    (path) => attachMount(erofs, path),
    (layer) => mountOverlay(layer, mount),
  );
}

/** Runs `use` with a descriptor of what `attach` mounts at a place that is only there meanwhile. */
function withMountPoint<Result>(attach: (path: string) => void, use: (mounted: number) => Result): Result {
  const path = mkdtempSync(join(tmpdir(), '.cfs-mount-'));
  try {
    attach(path);
    try {
      const mounted = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        return use(mounted);
      } finally {
        closeSync(mounted);
      }
    } finally {
      unmount(path, { lazy: true });
    }
  } finally {
    rmdirSync(path);
  }
}

function mountOverlay(erofs: number, mount: ComposefsMount): number {
  const { source, upper, verity, readOnly, hidesObjects = false } = mount;
  return withDirectories(mount, (objects, upperFds) => {
    const begin = (context: FsContext): FsContext => {
      context.string('source', source).string('metacopy', 'on').string('redirect_dir', 'on');
      if (verity !== undefined) trying(verity === 'try', () => context.string('verity', 'require'));
      return context;
    };
    const named = (context: FsContext): FsContext => {
      if (upper === undefined) return context;
      return context.string('upperdir', escape(upper.upperdir)).string('workdir', escape(upper.workdir));
    };
    const layered = (separator: string): string => [erofs, ...objects].map(fdPath).join(separator);
    // Descriptors (6.13), then one layer per key (6.7), then one string with data-only layers behind "::" (6.5). Before there were
    // data-only layers, the image itself hides the objects: it has whiteouts for their directories.
    const ways: ((context: FsContext) => FsContext)[] = [
      (context) => {
        context.fd('lowerdir+', erofs);
        for (const fd of objects) context.fd('datadir+', fd);
        for (const [i, fd] of upperFds.entries()) context.fd(i === 0 ? 'upperdir' : 'workdir', fd);
        return context;
      },
      (context) => {
        context.string('lowerdir+', fdPath(erofs));
        for (const fd of objects) context.string('datadir+', fdPath(fd));
        return named(context);
      },
      (context) => named(context.string('lowerdir', layered('::'))),
    ];
    if (hidesObjects) ways.push((context) => named(context.string('lowerdir', layered(':'))));
    let first: unknown;
    for (const layers of ways) {
      using context = new FsContext('overlay');
      try {
        return layers(begin(context)).mount(readOnly);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        first ??= error;
      }
    }
    throw first;
  });
}

function trying(tolerant: boolean, set: () => void): void {
  try {
    set();
  } catch (error) {
    if (!tolerant || !isRefusal(error)) throw error;
  }
}

/** Opens the object directories, and the upper and work directory if there are any. */
function withDirectories<Result>(
  { objects, upper }: ComposefsMount,
  use: (objects: readonly number[], upper: readonly number[]) => Result,
): Result {
  const open: number[] = [];
  try {
    for (const path of [...objects, ...(upper === undefined ? [] : [upper.upperdir, upper.workdir])]) {
      open.push(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
    }
    return use(open.slice(0, objects.length), open.slice(objects.length));
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** A path as a value of overlayfs. */
function escape(path: string): string {
  return resolve(path).replaceAll('\\', '\\\\');
}

/** By mount(2): the image through a loop device, at a place that is only there for the overlay to be made. */
function mountTheOldWay(mount: ComposefsMount): void {
  const { image, noAcl = false, userNamespace, source, target, verity, upper, readOnly, hidesObjects = false } = mount;
  if (userNamespace !== undefined) {
    throw new UnsupportedError(`Cannot mount ${image} with mapped owners: that needs the new mount API`, {
      path: image,
    });
  }
  const attach = (path: string): void => {
    const file = openSync(image, constants.O_RDONLY);
    try {
      withLoop(file, (device) => oldMount(device, path, 'erofs', MS_RDONLY, noAcl ? 'noacl' : ''));
    } finally {
      closeSync(file);
    }
  };
  const rest = upper === undefined ? '' : `,upperdir=${oldEscape(upper.upperdir)},workdir=${oldEscape(upper.workdir)}`;
  const required = verity === 'require' ? ',verity=require' : '';
  const flags = (readOnly ? MS_RDONLY : 0) | MS_SILENT;
  withDirectories(mount, (objects) => {
    withMountPoint(attach, (layer) => {
      const attempt = (separator: string): void => {
        const lower = [layer, ...objects].map(fdPath).join(separator);
        oldMount(source, target, 'overlay', flags, `metacopy=on,redirect_dir=on,lowerdir=${lower}${rest}${required}`);
      };
      try {
        attempt('::');
      } catch (error) {
        if (!hidesObjects || !isRefusal(error)) throw error;
        attempt(':');
      }
    });
  });
}

function oldEscape(path: string): string {
  return escape(path).replaceAll(',', String.raw`\,`);
}
