/**
 * A composefs repository that is open: its metadata, and the shared lock that keeps garbage collection away. What lies in it is
 * read by the functions of `objects.ts`, `streams.ts`, `images.ts` and `refs.ts`, added to by a `Transaction`, cleaned by
 * `collectGarbage` and checked by `checkRepository`.
 */
import { accessSync, constants, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CfsError, hasCode, NotFoundError, UnsupportedError } from '../../bytes/errors.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import { removeIndex } from './index-database.ts';
import { syncDirectories } from './links.ts';
import { RepositoryLock, type LockOptions, type Release } from './lock.ts';
import { assertSameMetadata, effectiveFormats, newMetadata, unknownReadOnlyFeatures } from './metadata.ts';
import type { ErofsFormats, ErofsVersion, Metadata } from './metadata.ts';
import { inferMetadata, readMetadata, writeMetadata } from './metadata-file.ts';
import type { ObjectStore } from './objects.ts';
import { Transaction, type FsyncMode } from './transaction.ts';

export interface OpenOptions extends LockOptions {
  /** Do not write `meta.json` into a repository of the time before it. */
  readonly noUpgrade?: boolean | undefined;
  /** Refuse a repository of the other algorithm. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** Refuse an insecure repository. */
  readonly requireVerity?: boolean | undefined;
}

export interface InitOptions {
  /** sha512 unless given. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** EROFS format version of images, 1 unless given. */
  readonly erofsVersion?: ErofsVersion | undefined;
  /** Do without fs-verity. */
  readonly insecure?: boolean | undefined;
  /** Leave a repository that exists as it is, whatever its metadata. */
  readonly ensure?: boolean | undefined;
  /** Remove all streams and images of a repository that exists, keep its objects, and write new metadata. */
  readonly resetMetadata?: boolean | undefined;
}

export class Repository implements ObjectStore {
  /** Absolute. */
  readonly path: string;
  readonly metadata: Metadata;
  /** Every object must have fs-verity; so it is if `meta.json` has. */
  readonly secure: boolean;
  readonly #lock: RepositoryLock;
  #open = true;

  private constructor(path: string, metadata: Metadata, secure: boolean, lock: RepositoryLock) {
    this.path = path;
    this.metadata = metadata;
    this.secure = secure;
    this.#lock = lock;
  }

  get algorithm(): HashAlgorithm {
    return this.metadata.algorithm;
  }

  /** Format versions of the images that are written. */
  get formats(): ErofsFormats {
    return effectiveFormats(this.metadata);
  }

  /**
   * Makes a repository; several attempts, also by other programs, end with one.
   *
   * @returns `existing` if an equal one (with `ensure`: any) was there.
   * @throws CfsError CONFLICT if another one is there; UnsupportedError where the file system has no fs-verity, unless `insecure`.
   */
  static init(path: string, options: InitOptions = {}): 'created' | 'existing' {
    const root = resolve(path);
    const wanted = newMetadata(options.algorithm ?? 'sha512', options.erofsVersion);
    mkdirSync(dirname(root), { recursive: true });
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (options.resetMetadata === true) {
      for (const name of ['streams', 'images', 'meta.json']) rmSync(join(root, name), { recursive: true, force: true });
      removeIndex(root);
    }
    if (readMetadata(root) === undefined) {
      const created = writeMetadata(root, wanted, options.insecure !== true);
      if (created) syncDirectories(new Set([root, dirname(root)]));
      if (created) return 'created';
    }
    const existing = readMetadata(root);
    if (existing === undefined) throw new NotFoundError(`Repository ${root} vanished while it was initialized`);
    if (options.ensure !== true) assertSameMetadata(root, existing.metadata, wanted);
    return 'existing';
  }

  /**
   * Opens a repository, and waits for its shared lock.
   *
   * @throws NotFoundError, CfsError LOCKED or CANCELLED, UnsupportedError for one that needs a later program, FormatError.
   */
  static async open(path: string, options: OpenOptions = {}): Promise<Repository> {
    const root = resolve(path);
    let lock: RepositoryLock;
    try {
      lock = await RepositoryLock.open(root, options);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw missing(root, error);
      throw error;
    }
    try {
      const read = readMetadata(root) ?? upgrade(root, options);
      const { metadata, secure } = read;
      if (options.algorithm !== undefined && options.algorithm !== metadata.algorithm) {
        throw new CfsError('CONFLICT', `Repository ${root} uses ${metadata.algorithm}, not ${options.algorithm}`, {
          path: root,
        });
      }
      if (options.requireVerity === true && !secure) {
        throw new UnsupportedError(`Repository ${root} is insecure: its meta.json has no fs-verity`, { path: root });
      }
      return new Repository(root, metadata, secure, lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /**
   * Starts to add to the repository.
   *
   * @param options.damaged objects that are no reason not to store them again.
   * @throws UnsupportedError for unknown features that forbid writing; EROFS, EACCES; CfsError LOCKED or CANCELLED.
   */
  async begin(
    options: LockOptions & {
      readonly fsync?: FsyncMode | undefined;
      readonly damaged?: ReadonlySet<ObjectId> | undefined;
    } = {},
  ): Promise<Transaction> {
    this.assertWritable();
    const release = await this.hold(options);
    try {
      return new Transaction(this, this.#lock.fd, options.fsync ?? 'barrier', release, options.damaged);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** @throws UnsupportedError for unknown features that forbid writing; EROFS, EACCES as the system has it. */
  assertWritable(): void {
    const unknown = unknownReadOnlyFeatures(this.metadata);
    if (unknown.length > 0) {
      throw new UnsupportedError(`Cannot write to ${this.path}: unknown features ${unknown.join(', ')}`, {
        path: this.path,
      });
    }
    accessSync(this.path, constants.W_OK);
  }

  /** Keeps garbage collection away until released: for whatever reads more than one file. @throws CfsError LOCKED, CANCELLED */
  async hold(options: LockOptions = {}): Promise<Release> {
    this.#assertOpen();
    return this.#lock.hold(options);
  }

  /** Waits until nobody else works on the repository, in this process or another. @throws CfsError LOCKED, CANCELLED */
  async exclusive(options: LockOptions = {}): Promise<Release> {
    this.#assertOpen();
    return this.#lock.exclusive(options);
  }

  /** Bytes that a user without privileges may still write to its file system. */
  freeSpace(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  #assertOpen(): void {
    if (!this.#open) throw new Error(`repository ${this.path} is closed`);
  }

  /** Gives up the lock. Transactions and holds must have ended. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lock.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function missing(root: string, cause?: unknown): NotFoundError {
  const facts = { path: root };
  return new NotFoundError(`No repository at ${root}; make one with 'cfs init ${root}'`, facts, cause);
}

/** Writes `meta.json` for a repository that has objects only, as their names and fs-verity state tell. */
function upgrade(root: string, { noUpgrade = false }: OpenOptions): { metadata: Metadata; secure: boolean } {
  const inferred = inferMetadata(root);
  if (inferred === undefined) throw missing(root);
  if (noUpgrade) {
    throw new UnsupportedError(
      `Repository ${root} is of the old format, without meta.json; open it once with upgrading allowed`,
      {
        path: root,
      },
    );
  }
  writeMetadata(root, inferred.metadata, inferred.secure);
  const read = readMetadata(root);
  if (read === undefined) throw missing(root);
  return read;
}
