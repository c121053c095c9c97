/**
 * Adding commits to a repository on this machine, in any mode, beside other programs that use it.
 *
 * New objects are collected in a staging folder. When all are there: one `syncfs`; they get their names, the commits last, so that a
 * commit that is visible is complete; another `syncfs`; then the refs. Who is killed leaves a staging folder, which the next writer removes,
 * and perhaps objects that nothing refers to. Objects that exist are kept.
 */
import { closeSync, constants, futimesSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { loosePath, type HashedMetadataType } from '../object-type.ts';
import type { LocalRepository } from './repository.ts';
import { isPresent, stagedName, type ObjectsFolder } from './staged-name.ts';
import { Staging } from './staging.ts';
import { writeLocalRef } from './write-ref.ts';
import type { FileWriterOptions } from './write-file.ts';
import type { RepositoryServices } from './write-services.ts';

const DEFAULT_LOCK_TIMEOUT = 300;
const DEFAULT_ZLIB_LEVEL = 6;
const PAUSE = 50;

export class LocalRepositoryWriter {
  /** What writers of files, in this thread or others, are made with. */
  readonly fileOptions: FileWriterOptions;
  readonly #path: string;
  readonly #objects: string;
  readonly #services: RepositoryServices;
  readonly #existing: readonly ObjectsFolder[];
  readonly #staging: Staging;
  readonly #lock: number | undefined;

  private constructor(repository: LocalRepository, services: RepositoryServices, lock: number | undefined) {
    const [own] = repository.stores as [LocalRepository['stores'][number]];
    const { mode, keyFile } = own.config;
    this.#path = own.path;
    this.#objects = join(own.path, 'objects');
    this.#services = services;
    this.#lock = lock;
    this.#existing = repository.stores.map(({ path, config }) => ({
      path: join(path, 'objects'),
      archive: config.mode === 'archive',
    }));
    const level = keyFile.integer('archive', 'zlib-level') ?? DEFAULT_ZLIB_LEVEL;
    const zlibLevel = Math.min(Math.max(level, 1), 9);
    this.#staging = new Staging(join(own.path, 'tmp'), services);
    this.fileOptions = { mode, zlibLevel, staging: this.#staging.path, existing: this.#existing };
  }

  /**
   * Waits until nobody cleans up the repository, and keeps those away until it is closed.
   * @throws CfsError LOCKED after `core.lock-timeout-secs`; the reason of the signal.
   */
  static async open(
    repository: LocalRepository,
    services: RepositoryServices,
    signal?: AbortSignal,
  ): Promise<LocalRepositoryWriter> {
    const [own] = repository.stores as [LocalRepository['stores'][number]];
    const { keyFile } = own.config;
    const timeout = keyFile.integer('core', 'lock-timeout-secs') ?? DEFAULT_LOCK_TIMEOUT;
    const lock =
      keyFile.boolean('core', 'locking') === false ? undefined : await lockShared(own.path, services, timeout, signal);
    try {
      return new LocalRepositoryWriter(repository, services, lock);
    } catch (error) {
      if (lock !== undefined) closeSync(lock);
      throw error;
    }
  }

  /** Stages a metadata object, whose bytes the caller has verified; false if the repository has it. */
  writeMetadata(type: HashedMetadataType, checksum: OstreeChecksum, bytes: Uint8Array): boolean {
    if (isPresent(this.#existing, type, checksum)) return false;
    writeFileSync(join(this.#staging.path, stagedName(type, checksum, false)), bytes, { mode: 0o644 });
    return true;
  }

  /**
   * Makes everything that was staged visible and durable, then the refs. The caller has staged all objects of the commits that the
   * repository did not have.
   */
  commit(commits: readonly OstreeChecksum[], refs: ReadonlyMap<string, OstreeChecksum>): void {
    const staging = this.#staging;
    const root = openSync(this.#path, 'r');
    try {
      this.#services.syncfs(root);
      staging.publish(this.#objects, ['file-xattrs', 'file-xattrs-link']);
      staging.publish(this.#objects, ['commit'], true);
      this.#services.syncfs(root);
      staging.publish(this.#objects, ['commit']);
      for (const checksum of commits) {
        for (const path of [
          join(this.#path, 'state', `${checksum}.commitpartial`),
          join(this.#objects, loosePath('tombstone-commit', checksum, false)),
        ]) {
          rmSync(path, { force: true });
        }
      }
      this.#services.syncfs(root);
      for (const [ref, checksum] of refs) writeLocalRef(this.#path, ref, checksum, join(staging.path, 'ref'));
      // How programs that have the repository open see that it changed.
      const now = new Date();
      futimesSync(root, now, now);
    } finally {
      closeSync(root);
    }
  }

  /** Drops what was staged and not committed, and lets others clean up the repository. */
  close(): void {
    this.#staging[Symbol.dispose]();
    if (this.#lock !== undefined) closeSync(this.#lock);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The lock that `ostree` takes for writing; cleaning up takes it exclusively. */
async function lockShared(
  path: string,
  services: RepositoryServices,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const fd = openSync(join(path, '.lock'), constants.O_RDWR | constants.O_CREAT, 0o660);
  try {
    const deadline = performance.now() + 1000 * timeout;
    while (!services.tryLock(fd, 'shared')) {
      if (performance.now() > deadline) {
        throw new CfsError(
          'LOCKED',
          `Cannot lock the OSTree repository ${path}: waited ${timeout} s for another program`,
          {
            path,
          },
        );
      }
      await sleep(PAUSE, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      signal?.throwIfAborted();
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
