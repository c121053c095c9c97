/**
 * Reference repositories: other repositories on this machine, OSTree ones of any mode and composefs ones, that are asked for objects
 * before the source. What they give is verified like anything else; what they lack, or have damaged, comes from the source.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NotFoundError } from '../../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import type { HashedMetadataType } from '../../ostree/object-type.ts';
import type { Source } from '../../ostree/source.ts';
import type { StoredObject } from '../commit/content.ts';
import { newestCommits } from '../commit/stored.ts';
import type { Release } from '../repository/lock.ts';
import { Repository } from '../repository/repository.ts';
import { Bases } from './bases.ts';
import { isUnusable, openLocalSource, type ContentSource } from './source.ts';
import { StoredSource } from './stored-source.ts';

export interface Reference extends Disposable {
  /** Unverified. */
  readMetadata(type: HashedMetadataType, checksum: OstreeChecksum): Uint8Array | undefined;
  /** Where those of the files can be had that it has; undefined if it has none. */
  filesOf(
    files: readonly OstreeChecksum[],
  ): { readonly source: ContentSource; readonly files: readonly OstreeChecksum[] } | undefined;
}

interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export class References implements Disposable {
  readonly #references: readonly Reference[];

  private constructor(references: readonly Reference[]) {
    this.#references = references;
  }

  /** @throws NotFoundError where there is no repository; what opening one throws. */
  static async open(paths: readonly string[], options: OpenOptions = {}): Promise<References> {
    const opened: Reference[] = [];
    try {
      for (const path of paths) opened.push(await openReference(path, options));
      return new References(opened);
    } catch (error) {
      for (const reference of opened) reference[Symbol.dispose]();
      throw error;
    }
  }

  get size(): number {
    return this.#references.length;
  }

  /** A metadata object that has the checksum. */
  readMetadata(type: HashedMetadataType, checksum: OstreeChecksum): Uint8Array | undefined {
    for (const reference of this.#references) {
      const bytes = reference.readMetadata(type, checksum);
      if (bytes !== undefined && checksumOf(bytes) === checksum) return bytes;
    }
    return undefined;
  }

  /** Asks one after the other for the files that those before did not give. */
  async ingest(
    files: readonly OstreeChecksum[],
    ingest: (source: ContentSource, files: readonly OstreeChecksum[]) => Promise<ReadonlyMap<OstreeChecksum, unknown>>,
  ): Promise<void> {
    let left = files;
    for (const reference of this.#references) {
      // Each has threads of its own, and is not worth them for nothing.
      if (left.length === 0) return;
      const offer = reference.filesOf(left);
      if (offer === undefined) continue;
      const done = await ingest(offer.source, offer.files);
      left = left.filter((file) => !done.has(file));
    }
  }

  [Symbol.dispose](): void {
    for (const reference of this.#references) reference[Symbol.dispose]();
  }
}

/** @throws NotFoundError where there is no repository; what opening one throws. */
export async function openReference(path: string, options: OpenOptions = {}): Promise<Reference> {
  if (existsSync(join(path, 'config'))) return new OstreeReference(openLocalSource(path));
  if (existsSync(join(path, 'objects'))) return ComposefsReference.open(path, options);
  throw new NotFoundError(`There is no OSTree or composefs repository at ${path}`, { path });
}

class OstreeReference implements Reference {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  readMetadata(type: HashedMetadataType, checksum: OstreeChecksum): Uint8Array | undefined {
    try {
      // A repository on this machine does not wait.
      return this.#source.readObject(type, checksum) as Uint8Array;
    } catch (error) {
      if (isUnusable(error)) return undefined;
      throw error;
    }
  }

  filesOf(files: readonly OstreeChecksum[]): { source: ContentSource; files: readonly OstreeChecksum[] } {
    return { source: this.#source, files };
  }

  [Symbol.dispose](): void {
    this.#source.close();
  }
}

/** Its newest commits are searched, as many as fit into memory. */
class ComposefsReference implements Reference {
  readonly #repository: Repository;
  readonly #release: Release;
  readonly #commits: Bases;

  private constructor(repository: Repository, release: Release, commits: Bases) {
    this.#repository = repository;
    this.#release = release;
    this.#commits = commits;
  }

  static async open(path: string, { signal, onNote }: OpenOptions): Promise<ComposefsReference> {
    const repository = await Repository.open(path, { noUpgrade: true, signal });
    try {
      const release = await repository.hold({ signal });
      const commits = new Bases(repository, onNote);
      commits.addLater(newestCommits(repository, Infinity));
      return new ComposefsReference(repository, release, commits);
    } catch (error) {
      repository.close();
      throw error;
    }
  }

  readMetadata(_type: HashedMetadataType, checksum: OstreeChecksum): Uint8Array | undefined {
    return this.#commits.get(checksum)?.data;
  }

  filesOf(wanted: readonly OstreeChecksum[]): { source: ContentSource; files: readonly OstreeChecksum[] } | undefined {
    const files = new Map<OstreeChecksum, StoredObject>();
    for (const checksum of wanted) {
      const found = this.#commits.get(checksum);
      // A copy: data is a view into all of its commit, which would travel to each worker.
      if (found !== undefined) files.set(checksum, { data: Uint8Array.from(found.data), object: found.object });
    }
    if (files.size === 0) return undefined;
    const objects = join(this.#repository.path, 'objects');
    return { source: new StoredSource({ kind: 'stored', objects, files }), files: [...files.keys()] };
  }

  [Symbol.dispose](): void {
    this.#release();
    this.#repository.close();
  }
}
