/** Making an OSTree commit of a file tree, as a pull would have stored it: objects, image, stream and ref. */
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeCommit } from '../../ostree/commit.ts';
import type { Metadata } from '../../ostree/metadata.ts';
import { checkRefName } from '../../ostree/ref.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import type { Directory } from '../tree/tree.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { encodeCommitStream, streamName } from './commit-stream.ts';
import { buildImages, storeImages } from './image.ts';
import { readCommitGraph } from './graph.ts';
import { commitRef } from './stored.ts';
import { commitTree } from './tree.ts';
import { treeObjects, type TreeObjectsOptions } from './tree-objects.ts';

/** What a commit says besides its tree. */
export interface CommitDetails {
  readonly subject: string;
  readonly body: string;
  readonly parent: OstreeChecksum | undefined;
  /** Seconds since the epoch. */
  readonly timestamp: bigint;
  readonly metadata: Metadata;
}

export interface MadeCommit {
  readonly commit: OstreeChecksum;
  /** Digest of the commit stream. */
  readonly stream: ObjectId;
  readonly image: ObjectId;
}

export interface MakeOptions extends TreeObjectsOptions {
  /** A ref to give the commit; it is not part of what is hashed. */
  readonly reference?: string | undefined;
  /** Format of the image, instead of the repository's default. */
  readonly erofsVersion?: ErofsVersion | undefined;
}

/**
 * Stores the commit and ends the transaction, in which contents of the tree may have been stored.
 * @param root whose external files are objects of the repository.
 * @throws as `treeObjects`; CfsError FORMAT for a bad ref.
 */
export async function makeCommit(
  repository: Repository,
  transaction: Transaction,
  root: Directory,
  details: CommitDetails,
  options: MakeOptions = {},
): Promise<MadeCommit> {
  const { reference, signal, onProgress } = options;
  if (reference !== undefined) checkRefName(reference);
  const made = await treeObjects(repository, (content) => transaction.storeBytes(content), root, options);
  const { rootTree, rootMeta, objects } = made;
  const data = encodeCommit({ ...details, related: [], rootTree, rootMeta });
  const commit = checksumOf(data);
  objects.set(commit, { data, object: undefined });

  onProgress?.({ phase: 'image', done: 0 });
  const complete = encodeCommitStream(repository.algorithm, commit, objects);
  const graph = await readCommitGraph(commit, (_, checksum) => objects.get(checksum)!.data, { signal });
  const images = buildImages(
    commitTree(graph, (checksum) => objects.get(checksum)),
    repository,
    options.erofsVersion,
  );
  storeImages(transaction, images);
  const stream = transaction.storeBytes(await complete(images));
  transaction.linkStream(streamName(commit), stream);
  if (reference !== undefined) transaction.linkRef('streams', commitRef(reference), streamName(commit));
  onProgress?.({ phase: 'sync', done: 0 });
  await transaction.commit();
  return { commit, stream, image: images[0].id };
}
