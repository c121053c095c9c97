/**
 * Copies a stored commit, with its stream, images and the contents of its files, into another composefs repository. Into one of the other
 * hash everything that holds digests is made anew: the OSTree objects stay the same, and so does the commit.
 */
import { setImmediate } from 'node:timers/promises';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeArchiveHeader } from '../../ostree/file-header.ts';
import { encodeCommitStream, streamName } from '../commit/commit-stream.ts';
import { inlineLimit, type StoredObject } from '../commit/content.ts';
import { buildImages, storeImages } from '../commit/image.ts';
import { assertComplete } from '../commit/partial.ts';
import { commitOfRef, commitRef, readCommit, resolveCommit, storedGraph, type StoredCommit } from '../commit/stored.ts';
import { commitTree } from '../commit/tree.ts';
import type { OnProgress } from '../progress.ts';
import { readObject } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { ObjectCopier, type CopyWay } from './copy-object.ts';

export interface CopyOptions {
  /** The ref to write; that of the commit if it was named by one, unless given. */
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface CopyResult {
  readonly commit: OstreeChecksum;
  /** Digest of the commit stream in the other repository. */
  readonly stream: ObjectId;
  readonly image: ObjectId | undefined;
  readonly ref: string | undefined;
  /** How many objects took which way. */
  readonly objects: Readonly<Record<CopyWay, number>>;
  /** Bytes of the objects that were not there. */
  readonly bytes: number;
}

/** Milliseconds of work after which timers and signals are let in. */
const BREATH = 50;

/** @param source a ref, or the beginning of a commit id. @throws NotFoundError, ChecksumError; CfsError PARTIAL, CORRUPT, USAGE */
export async function copyCommit(
  from: Repository,
  to: Repository,
  source: string,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const { signal } = options;
  if (from.path === to.path) throw new CfsError('USAGE', `${from.path} is the repository itself; name another one`);
  const release = await from.hold({ signal });
  try {
    const commit = resolveCommit(from, source);
    const stored = readCommit(from, commit);
    assertComplete(commit, stored.content);
    const ref = options.name ?? (commitOfRef(from, source) === undefined ? undefined : source);
    using transaction = await to.begin({ signal });
    const copy = new CommitCopy(from, to, transaction, options);
    const { stream, image } =
      from.algorithm === to.algorithm ? await copy.verbatim(stored) : await copy.converted(stored);
    transaction.linkStream(streamName(commit), stream);
    if (ref !== undefined) transaction.linkRef('streams', commitRef(ref), streamName(commit));
    options.onProgress?.({ phase: 'sync', done: 0 });
    await transaction.commit();
    return { commit, stream, image, ref, objects: copy.objects, bytes: copy.bytes };
  } finally {
    release();
  }
}

class CommitCopy {
  readonly objects: Record<CopyWay, number> = {
    reflinked: 0,
    hardlinked: 0,
    'copied in kernel': 0,
    copied: 0,
    present: 0,
  };
  bytes = 0;
  readonly #from: Repository;
  readonly #to: Repository;
  readonly #transaction: Transaction;
  readonly #copier: ObjectCopier;
  readonly #options: CopyOptions;
  readonly #copied = new Map<ObjectId, ObjectId>();
  #breath = performance.now();

  constructor(from: Repository, to: Repository, transaction: Transaction, options: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#transaction = transaction;
    this.#options = options;
    this.#copier = new ObjectCopier(from, to, transaction.writer);
  }

  /** Between repositories of the same hash: each object as it is. */
  async verbatim(stored: StoredCommit): Promise<{ stream: ObjectId; image: ObjectId | undefined }> {
    for (const [checksum, { data, object }] of stored.content.entries()) {
      if (object !== undefined) await this.#copy(object, decodeArchiveHeader(data, checksum).size);
    }
    for (const image of stored.images) {
      await this.#copy(image);
      this.#transaction.linkImage(image);
    }
    return { stream: await this.#copy(stored.stream), image: stored.image };
  }

  async converted(stored: StoredCommit): Promise<{ stream: ObjectId; image: ObjectId }> {
    const { algorithm } = this.#to;
    const graph = await storedGraph(stored);
    const objects = new Map<OstreeChecksum, StoredObject>();
    for (const [checksum, data] of graph.objects) objects.set(checksum, { data, object: undefined });
    for (const checksum of graph.files) {
      objects.set(checksum, await this.#convertFile(checksum, stored.content.get(checksum)!));
    }
    const complete = encodeCommitStream(algorithm, stored.checksum, objects);
    const images = buildImages(
      commitTree(graph, (checksum) => objects.get(checksum)),
      this.#to,
    );
    storeImages(this.#transaction, images);
    return { stream: this.#transaction.storeBytes(await complete(images)), image: images[0].id };
  }

  /** The content of a small file lies in the stream; how small depends on the hash. */
  async #convertFile(checksum: OstreeChecksum, { data, object }: StoredObject): Promise<StoredObject> {
    const { size, length } = decodeArchiveHeader(data, checksum);
    const isInline = size <= inlineLimit(this.#to.algorithm);
    if (object === undefined) {
      if (isInline) return { data, object };
      return { data: data.slice(0, length), object: this.#transaction.storeBytes(data.subarray(length)) };
    }
    if (isInline) return { data: Buffer.concat([data, readObject(this.#from, object)]), object: undefined };
    return { data, object: await this.#copy(object, size) };
  }

  async #copy(id: ObjectId, size?: number): Promise<ObjectId> {
    const known = this.#copied.get(id);
    if (known !== undefined) return known;
    const copied = this.#copier.copy(id, size);
    this.#copied.set(id, copied.id);
    this.objects[copied.how]++;
    if (copied.how !== 'present') this.bytes += copied.size;
    if (performance.now() - this.#breath > BREATH) {
      this.#options.onProgress?.({ phase: 'content', done: this.#copied.size, bytes: this.bytes });
      await setImmediate();
      this.#options.signal?.throwIfAborted();
      this.#breath = performance.now();
    }
    return copied.id;
  }
}
