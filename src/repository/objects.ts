/** Reading objects of a repository. Writing them is the task of transactions. */
import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ChecksumError, CfsError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import { measureVerity } from '../linux/ioctl.ts';
import { openRegularFile } from '../linux/regular-file.ts';
import { verityDigest } from '../verity/digest.ts';
import { algorithmNumber, objectPath, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';

/** What reading needs to know of a repository. */
export interface ObjectStore {
  /** The root directory, absolute. */
  readonly path: string;
  readonly algorithm: HashAlgorithm;
  /** Every object has fs-verity. */
  readonly secure: boolean;
}

/** Absolute path of an object, whether it exists or not. */
export function objectFile({ path }: ObjectStore, id: ObjectId): string {
  return join(path, 'objects', objectPath(id));
}

/** Size in bytes, or undefined if the object does not exist. */
export function objectSize(store: ObjectStore, id: ObjectId): number | undefined {
  return statSync(objectFile(store, id), { throwIfNoEntry: false })?.size;
}

/**
 * Opens an object for reading. In a secure repository the kernel vouches for what is read; else the content is not looked at.
 *
 * @throws NotFoundError, ChecksumError; CfsError CORRUPT for what is no file, and an object without fs-verity in a secure repository.
 */
export function openObject(store: ObjectStore, id: ObjectId): number {
  let fd: number;
  try {
    fd = openRegularFile(objectFile(store, id));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new NotFoundError(`Object ${id} is missing in ${store.path}`, { id }, error);
    throw error;
  }
  try {
    if (store.secure) assertVerity(fd, store, id);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function assertVerity(fd: number, { algorithm, path }: ObjectStore, id: ObjectId): void {
  const measured = measureVerity(fd);
  if (typeof measured === 'string') {
    throw new CfsError('CORRUPT', `Object ${id} in ${path} has no fs-verity, as a secure repository wants it`, { id });
  }
  if (measured.digest !== id || measured.algorithm !== algorithmNumber(algorithm)) {
    throw new ChecksumError('object', id, measured.digest);
  }
}

/**
 * The whole content, verified: by the kernel, or by hashing it.
 *
 * @throws as `openObject`, and CfsError LIMIT for an object of more than `limit` bytes (1 GiB).
 */
export function readObject(store: ObjectStore, id: ObjectId, options: { readonly limit?: number } = {}): Buffer {
  const { limit = 2 ** 30 } = options;
  const fd = openObject(store, id);
  try {
    const { size } = fstatSync(fd);
    if (size > limit) throw new CfsError('LIMIT', `Cannot read object ${id} into memory: ${size} bytes`, { id, size });
    const content = readFileSync(fd);
    if (!store.secure) {
      const actual = verityDigest(store.algorithm, content);
      if (actual !== id) throw new ChecksumError('object', id, actual);
    }
    return content;
  } finally {
    closeSync(fd);
  }
}
