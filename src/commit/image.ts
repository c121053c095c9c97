/** Images of commits: built from the tree, stored, and named by the commit's stream. */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { writeImage } from '../erofs/write.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import type { Directory } from '../tree/tree.ts';
import { verityDigest } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import { encodeCommitStream, streamName } from './commit-stream.ts';
import { readCommit, storedGraph, type StoredCommit } from './stored.ts';
import { commitTree } from './tree.ts';

export interface BuiltImage {
  readonly id: ObjectId;
  readonly bytes: Uint8Array;
}

/** The images of a commit: the first is the one its stream calls `composefs.image`. */
export type CommitImages = readonly [BuiltImage, ...BuiltImage[]];

export function buildImage(tree: Directory, algorithm: HashAlgorithm, version: ErofsVersion): BuiltImage {
  const bytes = writeImage(tree, { version });
  return { id: verityDigest(algorithm, bytes), bytes };
}

/** Builds the image of every format that the repository writes; `version` takes the place of the default one. */
export function buildImages(
  tree: Directory,
  { algorithm, formats }: Pick<Repository, 'algorithm' | 'formats'>,
  version: ErofsVersion = formats.default,
): CommitImages {
  const further = formats.extra.filter((each) => each !== version);
  return [buildImage(tree, algorithm, version), ...further.map((each) => buildImage(tree, algorithm, each))];
}

/** Stores images and makes them known. */
export function storeImages(transaction: Transaction, images: CommitImages): void {
  for (const { id, bytes } of images) {
    transaction.storeBytes(bytes, id);
    transaction.linkImage(id);
  }
}

/**
 * The tree of a stored commit.
 * @param path an absolute path: the directory there becomes the root.
 * @throws CfsError PARTIAL for a commit of which something below the path was not pulled; NotFoundError for a path that is no directory.
 */
export async function storedTree(stored: StoredCommit, path = '/'): Promise<Directory> {
  return commitTree(await storedGraph(stored), (checksum) => stored.content.get(checksum), path);
}

export interface CreatedImage {
  readonly commit: OstreeChecksum;
  /** The commit's stream, which names the image. */
  readonly stream: ObjectId;
  readonly image: ObjectId;
  /** The image that the stream named before, if that was another one. */
  readonly replaced: ObjectId | undefined;
}

/**
 * Builds the image of a stored commit anew and lets its stream name it.
 * @param name a ref below `images/refs/` to give the image.
 */
export async function createCommitImage(
  repository: Repository,
  commit: OstreeChecksum,
  options: { readonly version?: ErofsVersion | undefined; readonly name?: string | undefined } = {},
): Promise<CreatedImage> {
  using transaction = await repository.begin();
  const stored = readCommit(repository, commit);
  const images = buildImages(await storedTree(stored), repository, options.version);
  const [{ id: image }] = images;
  storeImages(transaction, images);
  let { stream } = stored;
  if (!sameImages(stored, images)) {
    const objects = new Map(stored.content.entries());
    const complete = encodeCommitStream(repository.algorithm, commit, objects);
    stream = transaction.storeBytes(await complete(images));
    transaction.linkStream(streamName(commit), stream);
  }
  if (options.name !== undefined) transaction.linkRef('images', options.name, image);
  await transaction.commit();
  return { commit, stream, image, replaced: stored.image === image ? undefined : stored.image };
}

/**
 * Builds the image of a directory of a stored commit, of which no more need be stored, and points an image ref to it: no stream names it.
 * @param path an absolute one.
 * @throws as `storedTree`.
 */
export async function createSubtreeImage(
  repository: Repository,
  commit: OstreeChecksum,
  path: string,
  name: string,
  version?: ErofsVersion,
): Promise<ObjectId> {
  using transaction = await repository.begin();
  const images = buildImages(await storedTree(readCommit(repository, commit), path), repository, version);
  storeImages(transaction, images);
  transaction.linkRef('images', name, images[0].id);
  await transaction.commit();
  return images[0].id;
}

/** True if the stream names just these images. */
export function sameImages(stored: StoredCommit, images: CommitImages): boolean {
  const ids = images.map(({ id }) => id);
  return stored.images.length === ids.length && ids.every((id, i) => stored.images[i] === id);
}
