/** The end of a pull: image and stream of a commit whose objects are all there, and the links that make them known. */
import { setImmediate } from 'node:timers/promises';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeCommitStream, streamName } from '../commit/commit-stream.ts';
import type { StoredObject } from '../commit/content.ts';
import type { CommitGraph } from '../commit/graph.ts';
import { buildImages, sameImages, storeImages } from '../commit/image.ts';
import type { StoredCommit } from '../commit/stored.ts';
import { commitTree, type FileInodes } from '../commit/tree.ts';
import type { Progress, OnProgress } from '../progress.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import type { ObjectId } from '../verity/object-id.ts';

export interface Publication {
  readonly stream: ObjectId;
  /** None of a partial commit. */
  readonly image: ObjectId | undefined;
}

interface PublishOptions {
  /** The stored stream, if it holds everything that the new one would: it stays if it names the right images. */
  readonly kept: StoredCommit | undefined;
  readonly erofsVersion?: ErofsVersion | undefined;
  /** Of files of the commit that were looked at already. */
  readonly inodes?: FileInodes | undefined;
}

/** Stores the images and the stream of a commit, and lets the transaction link them. */
export async function publishCommit(
  repository: Repository,
  transaction: Transaction,
  graph: CommitGraph,
  objects: ReadonlyMap<OstreeChecksum, StoredObject>,
  { kept, erofsVersion, inodes }: PublishOptions,
): Promise<Publication> {
  const { checksum: commit, partial } = graph;
  const encode = (): ReturnType<typeof encodeCommitStream> =>
    encodeCommitStream(repository.algorithm, commit, objects, partial);
  if (partial) {
    const stream = kept?.stream ?? transaction.storeBytes(await encode()([]));
    transaction.linkStream(streamName(commit), stream);
    return { stream, image: undefined };
  }
  const complete = kept === undefined ? encode() : undefined;
  const tree = commitTree(graph, (checksum) => objects.get(checksum), '/', inodes);
  const images = buildImages(tree, repository, erofsVersion);
  storeImages(transaction, images);
  const isKept = kept !== undefined && sameImages(kept, images);
  const stream = isKept ? kept.stream : transaction.storeBytes(await (complete ?? encode())(images));
  transaction.linkStream(streamName(commit), stream);
  return { stream, image: images[0].id };
}

/** Tells of a phase that keeps this thread busy; a signal that has come by now is heard first. */
export async function enterPhase(
  phase: Progress['phase'],
  { signal, onProgress }: { readonly signal?: AbortSignal | undefined; readonly onProgress?: OnProgress | undefined },
): Promise<void> {
  onProgress?.({ phase, done: 0 });
  await setImmediate();
  signal?.throwIfAborted();
}
