/** Mounting an image of a repository, for `cfs mount` and `cfs ostree mount`. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NotFoundError, hasCode } from '../../bytes/errors.ts';
import { readImageHeader } from '../erofs/read-header.ts';
import { mountComposefs } from '../linux/mount.ts';
import { objectFile, readObject } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { ObjectId } from '../verity/object-id.ts';
import type { Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson } from './output.ts';

/** Mounts read-only; the image is verified first, and in a secure repository the kernel verifies what is read later. */
export function mountImage(context: Context, repository: Repository, image: ObjectId, mountpoint: string): void {
  const target = resolve(mountpoint);
  try {
    if (!statSync(target).isDirectory())
      throw usageError(`${target} is not a directory, so nothing can be mounted there`);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new NotFoundError(`The mount point ${target} does not exist`, { path: target });
    throw error;
  }
  const { version } = readImageHeader(readObject(repository, image));
  mountComposefs({
    image: objectFile(repository, image),
    objects: join(repository.path, 'objects'),
    name: image,
    target,
    requireVerity: repository.secure,
    hidesObjects: version < 2,
  });
  if (context.json) writeJson({ image, mountpoint: target });
}
