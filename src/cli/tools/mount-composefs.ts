/** `mount.composefs IMAGE MOUNTPOINT`: mounts an image, as the composefs C tool does; `mount -t composefs` calls it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { CfsError } from '../../../bytes/errors.ts';
import { readImageHeader } from '../../erofs/read-header.ts';
import { EINVAL, isErrno, SystemError } from '../../linux/errno.ts';
import { measureVerity } from '../../linux/ioctl.ts';
import { strerror } from '../../linux/libc.ts';
import { mountComposefs } from '../../linux/mount.ts';
import { writeOut } from '../output.ts';
import { parseMountComposefs, usage, type MountComposefsOptions } from './mount-composefs-options.ts';
import { exitCodeOf, reason, ToolFailure, type ToolFile } from './tool.ts';

const HEADERS_SIZE = 4096;

export const runTool: ToolFile['runTool'] = (calledAs, args) =>
  exitCodeOf(async () => {
    await Promise.resolve();
    const options = parseMountComposefs(calledAs, args);
    if (options === undefined) writeOut(usage(calledAs));
    else mount(calledAs, options);
  });

function mount(calledAs: string, options: MountComposefsOptions): void {
  const { image, target, basedirs, digest, verity, readOnly, upper, idmap } = options;
  const opened = idmap === undefined ? undefined : openOr(idmap, `${calledAs}: Failed to open userns ${idmap}`);
  try {
    const fd = openOr(image, `${calledAs}: Failed to open ${image}`);
    try {
      if (digest !== undefined) checkDigest(calledAs, image, fd, digest);
      const { version, hasAcl } = headerOf(calledAs, image, fd);
      mountComposefs({
        image: `/proc/self/fd/${fd}`,
        objects: basedirs,
        source: 'composefs',
        target,
        verity,
        hidesObjects: version < 2,
        noAcl: !hasAcl,
        userNamespace: opened,
        upper,
        readOnly,
      });
    } catch (error) {
      if (error instanceof ToolFailure) throw error;
      const cause = error instanceof CfsError && error.cause instanceof SystemError ? error.cause : error;
      const hint = cause === error ? '' : `\n${error instanceof Error ? error.message : ''}`;
      throw failure(calledAs, image, `${reason(cause)}${hint}`);
    } finally {
      closeSync(fd);
    }
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

function failure(calledAs: string, image: string, problem: string): ToolFailure {
  return new ToolFailure(`${calledAs}: Failed to mount composefs ${image}: ${problem}\n\n`);
}

function openOr(path: string, message: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new ToolFailure(`${message}: ${reason(error)}\n\n`);
  }
}

/** Only the kernel's word counts. */
function checkDigest(calledAs: string, image: string, fd: number, wanted: string): void {
  let measured;
  try {
    measured = measureVerity(fd);
  } catch (error) {
    if (!isErrno(error, EINVAL)) throw error;
    measured = 'missing' as const;
  }
  if (typeof measured === 'string') throw failure(calledAs, image, 'Image has no fs-verity');
  if (measured.digest !== wanted) throw failure(calledAs, image, 'Image has wrong fs-verity');
}

function headerOf(calledAs: string, image: string, fd: number): ReturnType<typeof readImageHeader> {
  try {
    const head = Buffer.alloc(HEADERS_SIZE);
    return readImageHeader(head.subarray(0, readSync(fd, head, 0, HEADERS_SIZE, 0)));
  } catch (error) {
    throw failure(calledAs, image, error instanceof CfsError ? `${strerror(EINVAL)}\n${error.message}` : reason(error));
  }
}
