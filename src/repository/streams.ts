/** The splitstreams of a repository: symlinks `streams/NAME`, which are the only sign that an object is one. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import { decodeSplitstream, readChunks, type DecodeOptions, type Splitstream } from '../../splitstream/read.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { assertStreamName, linkedObject } from './layout.ts';
import { listDirectory, readLink } from './links.ts';
import { readObject, type ObjectStore } from './objects.ts';

/** The object that `streams/NAME` is linked to, whether that exists or not; undefined if there is no such stream. */
export function findStream(store: ObjectStore, name: string): ObjectId | undefined {
  assertStreamName(name);
  const text = readLink(join(store.path, 'streams', name));
  if (text === undefined) return undefined;
  const id = linkedObject(text, store.algorithm);
  if (id === undefined) {
    throw new CfsError('CORRUPT', `Stream ${name} in ${store.path} is linked to '${text}', which is no object`, {
      name,
    });
  }
  return id;
}

export interface NamedObject {
  readonly name: string;
  readonly id: ObjectId;
}

/** Streams by name. Links to something else than an object are left out. */
export function listStreams(store: ObjectStore): NamedObject[] {
  return listDirectory(join(store.path, 'streams'))
    .filter(({ type }) => type === 'symlink')
    .flatMap(({ name }) => {
      const id = linkedObject(readLink(join(store.path, 'streams', name)) ?? '', store.algorithm);
      return id === undefined ? [] : [{ name, id }];
    });
}

/** When the link of a stream was made, milliseconds since the epoch; 0 if it is gone. */
export function linkTime(store: ObjectStore, name: string): number {
  return lstatSync(join(store.path, 'streams', name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** @throws NotFoundError, ChecksumError, FormatError */
export function readStream(store: ObjectStore, name: string, options: DecodeOptions = {}): Splitstream {
  const id = findStream(store, name);
  if (id === undefined) throw new NotFoundError(`Stream ${name} is missing in ${store.path}`, { name });
  return readStreamObject(store, id, options);
}

/** A stream by its object. @throws NotFoundError, ChecksumError, FormatError */
export function readStreamObject(store: ObjectStore, id: ObjectId, options: DecodeOptions = {}): Splitstream {
  return decodeSplitstream(readObject(store, id), { ...options, algorithm: store.algorithm });
}

/** The merged content of a stream, piece by piece; objects are verified, one at a time in memory. */
export function* streamContent(store: ObjectStore, stream: Splitstream): Generator<Uint8Array, void, undefined> {
  for (const chunk of readChunks(stream)) {
    yield chunk.inline ?? readObject(store, stream.objectRefs[chunk.external] as ObjectId);
  }
}
