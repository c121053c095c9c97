/** What the repository itself still knows of OSTree objects: its commit streams, also damaged ones, and the object index. */
import { closeSync } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { toHex } from '../../bytes/hex.ts';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import { decodeCommitStream, streamName } from '../commit/commit-stream.ts';
import type { CommitContent, StoredObject } from '../commit/content.ts';
import { findCommit, newestCommits } from '../commit/stored.ts';
import { inspectStoredFile } from '../commit/stored-file.ts';
import { openRegularFile, readRegularFile } from '../linux/regular-file.ts';
import { ObjectIndex } from '../repository/object-index.ts';
import { hasIndex } from '../repository/index-database.ts';
import { readPieces } from '../repository/measure.ts';
import { objectFile, objectSize } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import { findStream } from '../repository/streams.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { sha256Stream } from '../verity/stream-hash.ts';

/** Bytes of commit streams in memory beyond which no more are searched. */
const MAX_SIZE = 256 * 1024 * 1024;

export interface DamagedObjects {
  readonly objects: ReadonlySet<ObjectId>;
  /** What commit streams say of files that is not true, as `CHECKSUM OBJECT`. */
  readonly wrongSums: ReadonlySet<string>;
}

interface Place {
  get(checksum: OstreeChecksum): StoredObject | undefined;
  /** Its digest is right, and the check has compared its contents with its checksums. */
  readonly checked: boolean;
}

export class KnownObjects implements Disposable {
  readonly #repository: Repository;
  readonly #damaged: DamagedObjects;
  readonly #index: ObjectIndex | undefined;
  /** The stream of the commit in use, if that is in order. */
  content: CommitContent | undefined;
  readonly #hash = sha256Stream();
  #opened: Place[] | undefined;
  #own: Place | undefined;

  private constructor(repository: Repository, damaged: DamagedObjects, index: ObjectIndex | undefined) {
    this.#repository = repository;
    this.#damaged = damaged;
    this.#index = index;
  }

  static async open(repository: Repository, damaged: DamagedObjects): Promise<KnownObjects> {
    const index = hasIndex(repository.path) ? await ObjectIndex.open(repository) : undefined;
    return new KnownObjects(repository, damaged, index);
  }

  /** What follows is asked of this commit, whose own stream comes first. */
  use(commit: OstreeChecksum): void {
    this.#own = undefined;
    this.content = this.#read(commit);
    const content = this.content ?? this.#readDamaged(commit);
    if (content !== undefined) {
      this.#own = { checked: this.content !== undefined, get: (checksum) => content.get(checksum) };
    }
  }

  /** The bytes of a metadata object, verified. */
  metadata(checksum: OstreeChecksum): Uint8Array | undefined {
    for (const place of this.#places()) {
      const data = place.get(checksum)?.data;
      if (data !== undefined && checksumOf(data) === checksum) return data;
    }
    return undefined;
  }

  /** A file whose content is there and right. */
  file(checksum: OstreeChecksum): StoredObject | undefined {
    for (const place of this.#places()) {
      const stored = place.get(checksum);
      if (stored !== undefined && this.#isGood(checksum, stored, place.checked)) return stored;
    }
    return undefined;
  }

  *#places(): Generator<Place, void, undefined> {
    if (this.#own !== undefined) yield this.#own;
    if (this.#index !== undefined) {
      const index = this.#index;
      yield { checked: false, get: (checksum) => index.get(checksum) };
    }
    yield* this.#others();
  }

  #others(): Place[] {
    let size = 0;
    this.#opened ??= newestCommits(this.#repository, Infinity).flatMap((commit) => {
      const content = size < MAX_SIZE ? this.#read(commit) : undefined;
      size += content?.byteLength ?? 0;
      return content === undefined ? [] : { checked: true, get: (checksum) => content.get(checksum) };
    });
    return this.#opened;
  }

  #read(commit: OstreeChecksum): CommitContent | undefined {
    try {
      return findCommit(this.#repository, commit)?.content;
    } catch (error) {
      if (!(error instanceof CfsError) && !isUnreadable(error)) throw error;
      return undefined;
    }
  }

  /** What can be decoded of a stream that is not what its digest says. */
  #readDamaged(commit: OstreeChecksum): CommitContent | undefined {
    try {
      const id = findStream(this.#repository, streamName(commit));
      if (id === undefined) return undefined;
      const bytes = readRegularFile(objectFile(this.#repository, id));
      return decodeCommitStream(bytes, this.#repository.algorithm, commit).content;
    } catch (error) {
      if (!(error instanceof CfsError) && !isUnreadable(error)) throw error;
      return undefined;
    }
  }

  #isGood(checksum: OstreeChecksum, stored: StoredObject, checked: boolean): boolean {
    const { object } = stored;
    try {
      const { size, checksum: actual } = inspectStoredFile(checksum, stored);
      if (object === undefined) return actual === checksum;
      if (this.#damaged.objects.has(object) || this.#damaged.wrongSums.has(`${checksum} ${object}`)) return false;
      if (objectSize(this.#repository, object) !== size) return false;
      return checked || this.#hasSum(checksum, stored.data, object);
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      return false;
    }
  }

  #hasSum(checksum: OstreeChecksum, header: Uint8Array, object: ObjectId): boolean {
    const hash = this.#hash;
    hash.reset();
    hash.update(decodeSizedHeader(header, checksum).hashedHeader);
    const fd = openRegularFile(objectFile(this.#repository, object));
    try {
      for (const piece of readPieces(fd)) hash.update(piece);
    } finally {
      closeSync(fd);
    }
    return toHex(hash.digest()) === checksum;
  }

  [Symbol.dispose](): void {
    this.#index?.close();
  }
}

/** True for what the system says of a file that is not there, no file, or damaged. */
export function isUnreadable(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'EIO', 'EISDIR', 'EACCES', 'ELOOP', 'ERR_FS_FILE_TOO_LARGE');
}
