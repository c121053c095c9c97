/** Readers in front of a source: stored commits and the object index. What they hold of a commit need not be fetched. */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { StoredObject } from '../commit/content.ts';
import type { CommitGraph } from '../commit/graph.ts';
import { findBase, findCommit, type StoredCommit } from '../commit/stored.ts';
import { inspectStoredFile } from '../commit/stored-file.ts';
import { FileInodes } from '../commit/tree.ts';
import type { ObjectIndex } from '../repository/object-index.ts';
import type { ObjectWriter } from '../repository/object-writer.ts';
import type { Repository } from '../repository/repository.ts';

/** Bytes of commits in memory beyond which no more are added for a search. */
const MAX_BASES_SIZE = 256 * 1024 * 1024;

/** Files of a commit for which it pays to list the objects. */
const MANY = 2000;

/** The commit that a ref or id names. @throws CfsError NOT_FOUND */
export function findRequiredBase(repository: Repository, text: string): OstreeChecksum {
  const base = findBase(repository, text);
  if (base !== undefined) return base;
  throw new CfsError('NOT_FOUND', `Base '${text}' is not a known ostree ref or commit ID in ${repository.path}`);
}

/** Stored commits, searched in the order in which they were added. */
export class Bases {
  readonly #repository: Repository;
  readonly #onNote: ((text: string) => void) | undefined;
  readonly #commits = new Map<OstreeChecksum, StoredCommit>();
  readonly #objects: ReadonlyMap<OstreeChecksum, StoredObject>[] = [];
  #index: ObjectIndex | undefined;
  #enters = true;
  /** To be added when the others lack something. */
  #later: readonly OstreeChecksum[] = [];

  constructor(repository: Repository, onNote: ((text: string) => void) | undefined) {
    this.#repository = repository;
    this.#onNote = onNote;
  }

  /** Adds a commit if it is stored. A damaged one is none: what it held is fetched again. */
  add(commit: OstreeChecksum | undefined): StoredCommit | undefined {
    if (commit === undefined || this.#commits.has(commit)) return undefined;
    try {
      const stored = findCommit(this.#repository, commit);
      if (stored !== undefined) this.#commits.set(commit, stored);
      return stored;
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      this.#onNote?.(`The stored commit ${commit} cannot be used as a base: ${error.message}`);
      return undefined;
    }
  }

  /** A commit, added if it is stored and was not yet. */
  find(commit: OstreeChecksum): StoredCommit | undefined {
    return this.add(commit) ?? this.#commits.get(commit);
  }

  /** Adds objects that this pull has stored or checked already, which are asked for before those of commits. */
  addObjects(objects: ReadonlyMap<OstreeChecksum, StoredObject>): void {
    this.#objects.push(objects);
  }

  /** Asks the index for what the others lack, and enters in it what is found elsewhere, unless that is not wanted. */
  useIndex(index: ObjectIndex, { enters = true }: { readonly enters?: boolean } = {}): void {
    this.#index = index;
    this.#enters = enters;
  }

  /** Tells of an object that was fetched and verified, so that the next pull need not fetch it even if this one does not end. */
  enter(checksum: OstreeChecksum, stored: StoredObject): void {
    if (this.#enters) this.#index?.add(checksum, stored);
  }

  /** Adds commits once they are needed, and while there is room for them. */
  addLater(commits: readonly OstreeChecksum[]): void {
    this.#later = commits.filter((commit) => !this.#commits.has(commit));
  }

  /** How many there are besides the index, those of later included. */
  get size(): number {
    return this.#objects.length + this.#commits.size + this.#later.length;
  }

  /** One of those objects. */
  getOwn(checksum: OstreeChecksum): StoredObject | undefined {
    for (const objects of this.#objects) {
      const found = objects.get(checksum);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  get(checksum: OstreeChecksum): StoredObject | undefined {
    const own = this.getOwn(checksum);
    if (own !== undefined) return own;
    for (const { content } of this.#commits.values()) {
      const found = content.get(checksum);
      if (found !== undefined) return found;
    }
    return this.#searchLater(checksum) ?? this.#index?.get(checksum);
  }

  #searchLater(checksum: OstreeChecksum): StoredObject | undefined {
    for (let [next] = this.#later; next !== undefined; [next] = this.#later) {
      this.#later = this.#held < MAX_BASES_SIZE ? this.#later.slice(1) : [];
      const found = this.add(next)?.content.get(checksum);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Bytes of the commits in memory. */
  get #held(): number {
    let bytes = 0;
    for (const { content } of this.#commits.values()) bytes += content.byteLength;
    return bytes;
  }
}

/** Tells which objects are there. */
export type HeldObjects = Pick<ObjectWriter, 'has'> & Partial<Pick<ObjectWriter, 'hasListed'>>;

export interface Reused {
  readonly objects: Map<OstreeChecksum, StoredObject>;
  readonly missing: readonly OstreeChecksum[];
  /** Of files among the objects, as far as they were made on the way. */
  readonly inodes: FileInodes;
}

/**
 * What the bases hold of the commit, and the files that they do not.
 * @param self what is stored of the commit itself: its files are looked at one by one.
 */
export function reuse(
  graph: CommitGraph,
  bases: Pick<Bases, 'get' | 'getOwn'>,
  held: HeldObjects,
  self: StoredCommit | undefined,
): Reused {
  const objects = new Map<OstreeChecksum, StoredObject>();
  for (const [checksum, data] of graph.objects) objects.set(checksum, { data, object: undefined });
  const missing: OstreeChecksum[] = [];
  const inodes = new FileInodes();
  const isThere =
    self === undefined && graph.files.size > MANY
      ? (checksum: OstreeChecksum, known: StoredObject) => isListed(checksum, known, held, inodes)
      : (checksum: OstreeChecksum, known: StoredObject) => isHeld(checksum, known, held);
  for (const checksum of graph.files) {
    const own = bases.getOwn(checksum);
    const known = own ?? bases.get(checksum);
    if (known !== undefined && (own !== undefined || isThere(checksum, known))) objects.set(checksum, known);
    else missing.push(checksum);
  }
  return { objects, missing, inodes };
}

/** As `isHeld` for one of very many files, of which most have an object, and whose inodes are needed next. */
function isListed(checksum: OstreeChecksum, stored: StoredObject, held: HeldObjects, inodes: FileInodes): boolean {
  const { object } = stored;
  if (object === undefined || held.hasListed === undefined) return isHeld(checksum, stored, held);
  try {
    if (held.hasListed(object, inodes.make(checksum, stored).size)) return true;
    inodes.forget(checksum);
    return false;
  } catch (error) {
    if (error instanceof CfsError) return false;
    throw error;
  }
}

/** True if nothing of the file need be fetched: an inline one has its checksum, the object of another is there. */
export function isHeld(checksum: OstreeChecksum, stored: StoredObject, held: Pick<ObjectWriter, 'has'>): boolean {
  try {
    const file = inspectStoredFile(checksum, stored);
    return stored.object === undefined ? file.checksum === checksum : held.has(stored.object, file.size);
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
