/**
 * Which objects garbage collection keeps.
 *
 * Roots are the refs, streams or images named by the caller, and images that are mounted. A stream keeps its object, its object refs and the objects of
 * its named refs; a named ref to the object of a stream (of any name) is followed. A root image keeps its object and
 * the objects that its files refer to; an image that only a stream names keeps its object alone, as the stream lists the files.
 *
 * Anything that makes it doubtful what is alive is an error, so that nothing is removed on a guess. A ref whose target is gone
 * keeps nothing alive and is only warned of.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import { imageObjects } from '../erofs/objects.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { linkedObject, type LinkKind } from './layout.ts';
import { listDirectory, readLink } from './links.ts';
import { LiveObjects } from './live-objects.ts';
import { mountedImages } from './mounted.ts';
import { readObject, type ObjectStore } from './objects.ts';
import { listRefs } from './refs.ts';
import { readStreamObject } from './streams.ts';

export interface Link {
  readonly name: string;
  /** Undefined for a link that points to nothing. */
  readonly id: ObjectId | undefined;
}

/** The first-level links of a kind. @throws CfsError CORRUPT for anything else that lies there. */
function listLinks(store: ObjectStore, kind: LinkKind): Link[] {
  const directory = join(store.path, kind);
  return listDirectory(directory).flatMap(({ name, type }): Link[] => {
    const path = join(directory, name);
    if (type === 'directory' && name === 'refs') return [];
    if (type !== 'symlink') throw doubt(`${path} is no symlink`, path);
    const id = linkedObject(readLink(path) ?? '', store.algorithm);
    if (id === undefined && exists(path)) throw doubt(`${path} is linked to no object`, path);
    return [{ name, id }];
  });
}

/** True if a path leads to something through all of its symlinks. */
export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function doubt(problem: string, path: string, cause?: unknown): CfsError {
  return new CfsError('CORRUPT', `Cannot tell what is in use: ${problem}`, { path }, cause);
}

export interface Reachable {
  readonly live: Pick<LiveObjects, 'has'>;
  readonly streams: readonly Link[];
  readonly images: readonly Link[];
  readonly warnings: readonly string[];
}

/**
 * @param roots names of streams or images, first level, not refs.
 * @throws NotFoundError for an unknown root; CfsError CORRUPT when it cannot be told what is in use, LOCKED when a mount is why.
 */
export function findReachable(store: ObjectStore, roots: readonly string[] = []): Reachable {
  const live = new LiveObjects();
  const followed = new Set<ObjectId>();
  const warnings: string[] = [];
  const links = { streams: listLinks(store, 'streams'), images: listLinks(store, 'images') };
  const streamObjects = new Set(links.streams.map(({ id }) => id));

  const keepStream = (first: ObjectId, why: string): void => {
    const pending = [first];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (followed.has(id)) continue;
      followed.add(id);
      live.add(id);
      let stream;
      try {
        stream = readStreamObject(store, id);
      } catch (cause) {
        throw doubt(`${why} cannot be read (${(cause as Error).message})`, `objects/${id}`, cause);
      }
      for (const object of stream.objectRefs) live.add(object as ObjectId);
      for (const named of stream.namedRefs.values() as Iterable<ObjectId>) {
        if (streamObjects.has(named)) pending.push(named);
        else live.add(named);
      }
    }
  };
  const keepImage = (id: ObjectId, why: string): void => {
    live.add(id);
    try {
      for (const object of imageObjects(readObject(store, id))) live.add(object);
    } catch (cause) {
      throw doubt(`${why} cannot be read (${(cause as Error).message})`, `images/${id}`, cause);
    }
  };
  const keep = { streams: keepStream, images: keepImage };

  for (const kind of ['images', 'streams'] as const) {
    const byName = new Map(links[kind].map(({ name, id }) => [name, id]));
    for (const { ref, target } of listRefs(store, kind)) {
      const path = `${kind}/refs/${ref}`;
      const id = byName.get(target);
      if (id !== undefined) keep[kind](id, path);
      else if (exists(join(store.path, path))) throw doubt(`${path} is linked to no entry of ${kind}/`, path);
      else warnings.push(`${path} points to ${target}, which is missing`);
    }
  }
  for (const root of roots) {
    let found = false;
    for (const kind of ['images', 'streams'] as const) {
      const id = links[kind].find(({ name }) => name === root)?.id;
      if (id === undefined) continue;
      keep[kind](id, `${kind}/${root}`);
      found = true;
    }
    if (!found) throw new NotFoundError(`No stream or image is called ${root} in ${store.path}`, { root });
  }
  const mounted = mountedImages(store);
  for (const [id, target] of mounted.images) keepImage(id, `the image mounted at ${target}`);
  const [target] = mounted.unknown;
  if (target !== undefined) {
    const problem = `the mount at ${target} has objects of ${store.path} below it, and does not say of which image`;
    throw new CfsError('LOCKED', `Cannot tell what is in use: ${problem}; unmount it first`, { path: target });
  }
  return { live, ...links, warnings };
}
