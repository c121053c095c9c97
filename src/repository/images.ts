/** The EROFS images of a repository: symlinks `images/HEX`, HEX being the digest of the image, and refs to them. */
import { join } from 'node:path';
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import { isObjectId, type ObjectId } from '../verity/object-id.ts';
import { linkedObject } from './layout.ts';
import { listDirectory, readLink } from './links.ts';
import type { ObjectStore } from './objects.ts';
import { readRef } from './refs.ts';

/**
 * The image that a name means: `HEX`, `REF`, or `refs/REF`. A plain name is an image before it is a ref. The link need not say
 * the truth about its object: compare the digest when it is read.
 *
 * @throws NotFoundError; CfsError CORRUPT for an image that is linked to another object than the one it is named by.
 */
export function resolveImage(store: ObjectStore, name: string): ObjectId {
  const { algorithm } = store;
  const hex = isObjectId(name, algorithm) ? name : readRef(store, 'images', name.replace(/^refs\//, ''));
  if (hex === undefined) throw new NotFoundError(`Image ${name} is missing in ${store.path}`, { name });
  if (!isObjectId(hex, algorithm)) {
    throw new CfsError('CORRUPT', `Image ref ${name} in ${store.path} points to '${hex}', which is no image`, { name });
  }
  const text = readLink(join(store.path, 'images', hex));
  if (text === undefined) throw new NotFoundError(`Image ${hex} is missing in ${store.path}`, { name, id: hex });
  const id = linkedObject(text, algorithm);
  if (id !== hex) {
    throw new CfsError('CORRUPT', `Image ${hex} in ${store.path} is linked to '${text}'`, { name, id: hex });
  }
  return id;
}

/** True if `images/HEX` is there. */
export function hasImage(store: ObjectStore, id: ObjectId): boolean {
  return readLink(join(store.path, 'images', id)) !== undefined;
}

/** Digests of all images, by their names. */
export function listImages(store: ObjectStore): ObjectId[] {
  return listDirectory(join(store.path, 'images'))
    .filter(({ type }) => type === 'symlink')
    .map(({ name }) => name)
    .filter((name): name is ObjectId => isObjectId(name, store.algorithm));
}
