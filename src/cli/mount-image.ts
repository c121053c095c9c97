/** Mounting an image of a repository, for `cfs mount` and `cfs ostree mount`. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { hasCode, NotFoundError, UnsupportedError } from '../../bytes/errors.ts';
import { readImageHeader } from '../erofs/read-header.ts';
import { mountComposefs } from '../linux/mount.ts';
import { objectFile, readObject } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { ObjectId } from '../verity/object-id.ts';
import type { Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson } from './output.ts';

export interface MountOptions {
  readonly fuse: 'auto' | 'yes' | 'no';
  readonly upperdir?: string;
  readonly workdir?: string;
  readonly readWrite?: boolean;
}

export function addMountOptions(command: Command): void {
  command
    .argument('<mountpoint>', 'an existing directory')
    .option('--upperdir <path>', 'a directory for what is changed, shown above the image')
    .option('--workdir <path>', 'an empty directory on the file system of --upperdir, for overlayfs to work in')
    .option('--read-write', 'let the mount be written to; needs --upperdir')
    .addOption(
      new Option('--fuse <mode>', 'whether to mount by FUSE instead of by the kernel, which cfs cannot')
        .choices(['auto', 'yes', 'no'])
        .default('auto'),
    )
    .addOption(new Option('--foreground', 'for FUSE only').hideHelp());
}

/** The image is verified first, and in a secure repository the kernel verifies what is read later. */
export function mountImage(
  context: Context,
  repository: Repository,
  image: ObjectId,
  mountpoint: string,
  { fuse, upperdir, workdir, readWrite = false }: MountOptions,
): void {
  if (fuse === 'yes') throw new UnsupportedError('cfs mounts by the kernel only, not by FUSE; leave --fuse=yes out');
  if ((upperdir === undefined) !== (workdir === undefined)) {
    throw usageError('--upperdir and --workdir go together');
  }
  if (readWrite && upperdir === undefined) throw usageError('--read-write needs --upperdir and --workdir');
  const target = existingDirectory(mountpoint, 'mount point');
  const upper =
    upperdir === undefined || workdir === undefined
      ? undefined
      : {
          upperdir: existingDirectory(upperdir, 'upper directory'),
          workdir: existingDirectory(workdir, 'work directory'),
        };
  const { version, hasAcl } = readImageHeader(readObject(repository, image));
  mountComposefs({
    image: objectFile(repository, image),
    objects: [join(repository.path, 'objects')],
    source: `composefs:${image}`,
    target,
    verity: repository.secure ? 'require' : undefined,
    hidesObjects: version < 2,
    noAcl: !hasAcl,
    upper,
    readOnly: !readWrite,
  });
  if (context.json) writeJson({ image, mountpoint: target, upperdir: upper?.upperdir, writable: readWrite });
}

function existingDirectory(path: string, what: string): string {
  const absolute = resolve(path);
  try {
    if (!statSync(absolute).isDirectory()) throw usageError(`${absolute} is not a directory, so it can be no ${what}`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new NotFoundError(`The ${what} ${absolute} does not exist`, { path: absolute });
  }
  return absolute;
}
