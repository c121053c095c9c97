/** What is left when everything was tried: damaged objects and images that nobody needs any more go to `lost+found`. */
import { closeSync } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { imageObjects } from '../erofs/objects.ts';
import { openRegularFile } from '../linux/regular-file.ts';
import { listImages } from '../repository/images.ts';
import { measureFile } from '../repository/measure.ts';
import { mountedImages } from '../repository/mounted.ts';
import { objectFile, readObject } from '../repository/objects.ts';
import { listRefs } from '../repository/refs.ts';
import type { Repository } from '../repository/repository.ts';
import { listStreams, readStreamObject } from '../repository/streams.ts';
import { objectPath, type ObjectId } from '../verity/object-id.ts';
import type { Damage } from './damage.ts';
import { isUnreadable } from './known.ts';
import type { LostFound } from './lost-found.ts';

/** @returns what was moved, as paths in the repository. */
export function moveUnneeded(repository: Repository, damage: Damage, lostFound: LostFound): string[] {
  const bad = new Set([...damage.objects, ...damage.missing].filter((id) => !isGood(repository, id)));
  if (bad.size === 0) return [];
  const needed = neededByStreams(repository);
  const mounted = mountedImages(repository);
  // Of such a mount nobody can tell what it needs.
  if (mounted.unknown.length > 0) return [];
  const named = new Set<string>(listRefs(repository, 'images').map(({ target }) => target));
  const moved: string[] = [];
  for (const image of listImages(repository)) {
    const objects = objectsOf(repository, image);
    const isBad = bad.has(image) || objects === undefined || [...objects].some((id) => bad.has(id));
    if (isBad && !named.has(image) && !needed.has(image) && !mounted.images.has(image)) {
      lostFound.keep(`objects/${objectPath(image)}`);
      lostFound.move(`images/${image}`);
      moved.push(`images/${image}`);
      continue;
    }
    needed.add(image);
    for (const id of objects ?? []) needed.add(id);
  }
  for (const image of mounted.images.keys()) {
    for (const id of objectsOf(repository, image) ?? []) needed.add(id);
  }
  for (const id of damage.objects) {
    const path = `objects/${objectPath(id)}`;
    if (!bad.has(id) || needed.has(id)) continue;
    try {
      lostFound.move(path);
      moved.push(path);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return moved;
}

function isGood(repository: Repository, id: ObjectId): boolean {
  try {
    const fd = openRegularFile(objectFile(repository, id));
    try {
      return measureFile(fd, repository.algorithm) === id;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof CfsError || isUnreadable(error)) return false;
    throw error;
  }
}

function neededByStreams(repository: Repository): Set<ObjectId> {
  const needed = new Set<ObjectId>();
  for (const { id } of listStreams(repository)) {
    needed.add(id);
    try {
      const { objectRefs, namedRefs } = readStreamObject(repository, id);
      for (const each of [...objectRefs, ...namedRefs.values()]) needed.add(each as ObjectId);
    } catch (error) {
      if (!(error instanceof CfsError) && !isUnreadable(error)) throw error;
    }
  }
  return needed;
}

/** Undefined for an image that cannot be read. */
function objectsOf(repository: Repository, image: ObjectId): ReadonlySet<ObjectId> | undefined {
  try {
    return imageObjects(readObject(repository, image));
  } catch (error) {
    if (!(error instanceof CfsError) && !isUnreadable(error)) throw error;
    return undefined;
  }
}
