/**
 * Adding to a repository. Objects are linked as soon as they are complete; streams, images and refs that are asked for are made
 * by `commit`, in the order that lets a reader, and a power failure, see only what is whole:
 *
 * 1. one `syncfs`: all objects are durable;
 * 2. links of streams and images, then `fsync` of their directories;
 * 3. refs, then `fsync` of theirs.
 *
 * When `commit` returns, everything is durable. A transaction that is killed, or disposed without `commit`, leaves objects that
 * the next one finds and garbage collection removes. unsynced.ts tells how objects of an unfinished transaction survive, or
 * do not survive, a power failure. While it is open, a transaction keeps garbage collection away.
 */
import { join } from 'node:path';
import { CfsError, ChecksumError } from '../../bytes/errors.ts';
import { syncfs } from '../linux/files.ts';
import { verityDigest } from '../verity/digest.ts';
import { isObjectId, objectPath, type ObjectId } from '../verity/object-id.ts';
import { assertRefName, assertStreamName, type LinkKind } from './layout.ts';
import { placeLink, syncDirectories } from './links.ts';
import type { Release } from './lock.ts';
import { listNames } from './object-files.ts';
import { ObjectWriter, type ObjectWriterOptions } from './object-writer.ts';
import { findStream } from './streams.ts';
import { hasImage } from './images.ts';
import type { ObjectStore } from './objects.ts';
import { abandonMark, addMark, listMarks, removeMarks } from './unsynced.ts';

/**
 * `barrier`: one `syncfs` before anything refers to the objects. `full`: also `fsync` of each object before it gets its name.
 * `none`: no syncing at all; after a power failure the repository may be damaged.
 */
export type FsyncMode = 'full' | 'barrier' | 'none';

interface PlannedLink {
  readonly link: string;
  readonly target: string;
}

export class Transaction {
  /** What object writers in worker threads are made with. */
  readonly writerOptions: ObjectWriterOptions;
  /** Writes objects on this thread. */
  readonly writer: ObjectWriter;
  readonly #store: ObjectStore;
  readonly #rootFd: number;
  readonly #fsync: FsyncMode;
  readonly #release: Release;
  readonly #mark: string;
  readonly #links: PlannedLink[] = [];
  readonly #refs: PlannedLink[] = [];
  #open = true;

  /** Made by `Repository.begin`, which has the lock and gives its `release`. */
  constructor(
    store: ObjectStore,
    rootFd: number,
    fsync: FsyncMode,
    release: Release,
    damaged: ReadonlySet<ObjectId> | undefined,
  ) {
    this.#store = store;
    this.#rootFd = rootFd;
    this.#fsync = fsync;
    this.#release = release;
    const suspect = listMarks(store.path).some(({ state }) => state === 'foreign');
    const { algorithm, secure } = store;
    const objects = join(store.path, 'objects');
    const prefixes = new Set(listNames(objects));
    this.writerOptions = { objects, algorithm, secure, suspect, damaged, fsync: fsync === 'full', prefixes };
    this.writer = new ObjectWriter(this.writerOptions);
    try {
      this.#mark = addMark(store.path, fsync !== 'none');
    } catch (error) {
      this.writer.close();
      throw error;
    }
  }

  /**
   * Stores content that is in memory.
   *
   * @param id its digest, if that is known for sure.
   */
  storeBytes(content: Uint8Array, id: ObjectId = verityDigest(this.#store.algorithm, content)): ObjectId {
    this.writer.store(content, id);
    return id;
  }

  /** Lets `commit` make the object of a splitstream known by name; another stream of that name is replaced. */
  linkStream(name: string, id: ObjectId): void {
    assertStreamName(name);
    this.#assertId(id);
    this.#links.push({ link: `streams/${name}`, target: `objects/${objectPath(id)}` });
  }

  /** Lets `commit` make the object of an EROFS image known as one. */
  linkImage(id: ObjectId): void {
    this.#assertId(id);
    this.#links.push({ link: `images/${id}`, target: `objects/${objectPath(id)}` });
  }

  /**
   * Lets `commit` point a ref to a stream or image, one of this transaction or one that exists.
   *
   * @throws NotFoundError if there is none of that name.
   */
  linkRef(kind: LinkKind, ref: string, name: string): void {
    assertRefName(ref);
    const target = `${kind}/${name}`;
    if (!this.#links.some(({ link }) => link === target)) this.#assertExists(kind, name);
    this.#refs.push({ link: `${kind}/refs/${ref}`, target });
  }

  #assertId(id: ObjectId): void {
    if (isObjectId(id, this.#store.algorithm)) return;
    throw new ChecksumError(`object id for a ${this.#store.algorithm} repository`, this.#store.algorithm, id);
  }

  #assertExists(kind: LinkKind, name: string): void {
    const { algorithm, path } = this.#store;
    const exists =
      kind === 'streams'
        ? findStream(this.#store, name) !== undefined
        : isObjectId(name, algorithm) && hasImage(this.#store, name);
    if (!exists) {
      throw new CfsError('NOT_FOUND', `Cannot point a ref to ${kind}/${name}: it is missing in ${path}`, { name });
    }
  }

  /** Makes all links. The transaction ends, also if this fails. */
  async commit(): Promise<void> {
    if (!this.#open) throw new Error('the transaction has ended');
    try {
      this.#sync();
      const { path } = this.#store;
      for (const phase of [this.#links, this.#refs]) {
        const touched = new Set<string>();
        for (const { link, target } of phase) placeLink(path, link, target, touched);
        if (this.#fsync !== 'none') syncDirectories(touched);
      }
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** The barrier. It covers the objects of every transaction that ended without one, so their marks go too. */
  #sync(): void {
    if (this.#fsync === 'none') return;
    const { path } = this.#store;
    const covered = listMarks(path).filter(({ state }) => state === 'dead');
    syncfs(this.#rootFd);
    removeMarks(path, [this.#mark, ...covered.map(({ name }) => name)]);
  }

  /** Ends the transaction without links, unless it has ended. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    abandonMark(this.#mark);
    this.writer.close();
    this.#release();
  }
}
