/**
 * Images that are mounted. Their mounts look objects up by path whenever a file is opened, so garbage collection must keep what they
 * need, whether a ref does or not. A mount by cfs or composefs-rs shows `composefs:IMAGE` as its source; another overlay with the
 * objects of this repository below it is of an image that cannot be told.
 */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import { listMounts, type Mount } from '../linux/mountinfo.ts';
import { isObjectId, type ObjectId } from '../verity/object-id.ts';
import { objectSize, type ObjectStore } from './objects.ts';
import { readRef } from './refs.ts';

const SOURCE = 'composefs:';

export interface MountedImages {
  /** Images of this repository, with where they are mounted. */
  readonly images: ReadonlyMap<ObjectId, string>;
  /** Where images are mounted that cannot be told. */
  readonly unknown: readonly string[];
}

/** @param mounts are those of the system, unless a test has others. */
export function mountedImages(store: ObjectStore, mounts: readonly Mount[] = listMounts()): MountedImages {
  const images = new Map<ObjectId, string>();
  const unknown: string[] = [];
  const objects = join(store.path, 'objects');
  for (const mount of mounts) {
    if (mount.type !== 'overlay') continue;
    const id = imageOf(store, mount.source);
    if (id !== undefined) images.set(id, mount.target);
    else if (lowerDirectories(mount).some((path) => isSame(path, objects))) unknown.push(mount.target);
  }
  return { images, unknown };
}

/** The image of this repository that a mount's source names. */
function imageOf(store: ObjectStore, source: string): ObjectId | undefined {
  if (!source.startsWith(SOURCE)) return undefined;
  const name = source.slice(SOURCE.length);
  const id = isObjectId(name, store.algorithm) ? name : refTarget(store, name.replace(/^refs\//, ''));
  return id !== undefined && isObjectId(id, store.algorithm) && objectSize(store, id) !== undefined ? id : undefined;
}

/** Anybody may have mounted something with a name that no ref can have. */
function refTarget(store: ObjectStore, ref: string): string | undefined {
  try {
    return readRef(store, 'images', ref);
  } catch (error) {
    if (hasCode(error, 'USAGE')) return undefined;
    throw error;
  }
}

function lowerDirectories({ options }: Mount): string[] {
  return options.flatMap((option) => {
    const [key, value = ''] = option.split(/=(.*)/s);
    if (key === 'lowerdir+' || key === 'datadir+') return [value];
    return key === 'lowerdir' ? value.split(/::?/) : [];
  });
}

function isSame(path: string, objects: string): boolean {
  if (path === objects) return true;
  try {
    return path.startsWith('/') && realpathSync(path) === realpathSync(objects);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
}
