/**
 * An OSTree repository on this machine, in any mode, with its parents behind it. It is only read: nothing in it is created,
 * locked, renamed or, where that is permitted, given a new access time.
 *
 * Everything is synchronous underneath: the calls are short, and a worker that reads an object has nothing else to do.
 */
import { realpathSync } from 'node:fs';
import { CfsError, FormatError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import { isChecksum, type OstreeChecksum } from '../checksum.ts';
import { decodeCommit } from '../commit.ts';
import type { DeltaSource } from '../delta/source.ts';
import type { MetadataType } from '../object-type.ts';
import { verifyMetadataObject } from '../object-verify.ts';
import { parseRefspec } from '../ref.ts';
import type { FileObject, LocalSourceDescription, Source } from '../source.ts';
import { LocalDeltas } from './deltas.ts';
import { LocalRefs } from './refs.ts';
import { LocalStore } from './store.ts';
import type { XattrReader } from './xattr-reader.ts';

export interface LocalRepositoryOptions {
  /** Needed for the modes `bare` and `bare-user`. */
  readonly xattrs?: XattrReader;
  /**
   * Whether a ref that is no local one may be taken from `refs/remotes`, from whatever remote has it first. Off unless asked for: what is
   * served to others is what this repository calls its own.
   */
  readonly remoteFallback?: boolean;
}

/**
 * Opens the repository at `path`. Throws `NotFoundError` if there is none there or its parent is gone, `FormatError` for a bad
 * configuration, `UnsupportedError` if its mode needs `xattrs`.
 */
export function openLocalRepository(path: string, options: LocalRepositoryOptions = {}): LocalRepository {
  return new LocalRepository(path, options);
}

export class LocalRepository implements Source {
  readonly location: string;
  readonly concurrency = 1;
  /** This repository, its parent, the parent's parent… */
  readonly stores: readonly LocalStore[];
  readonly deltas: DeltaSource;
  readonly #refs: readonly LocalRefs[];
  readonly #remoteFallback: boolean;

  constructor(path: string, options: LocalRepositoryOptions) {
    this.location = path;
    this.deltas = new LocalDeltas(path);
    this.stores = openChain(path, options.xattrs);
    this.#refs = this.stores.map((store) => new LocalRefs(store.path, store.reader));
    this.#remoteFallback = options.remoteFallback ?? false;
  }

  async resolveRef(rev: string): Promise<OstreeChecksum> {
    const name = rev.replace(/\^+$/, '');
    let commit = this.#resolveName(name);
    for (let generations = rev.length - name.length; generations > 0; generations--) commit = this.#parentOf(commit);
    return Promise.resolve(commit);
  }

  #resolveName(name: string): OstreeChecksum {
    if (isChecksum(name)) return name;
    if (/^[0-9a-f]{1,63}$/.test(name)) {
      const [found, another] = new Set(this.stores.flatMap((store) => store.commitsWithPrefix(name)));
      if (another !== undefined) throw new CfsError('CONFLICT', `Refspec ${name} not unique`, { refspec: name });
      if (found !== undefined) return found;
    }
    const refspec = parseRefspec(name);
    for (const refs of this.#refs) {
      const commit = refs.resolve(refspec, this.#remoteFallback);
      if (commit !== undefined) return commit;
    }
    const elsewhere = refspec.remote === undefined ? this.#refs.flatMap((refs) => refs.remotesWith(name)) : [];
    const hint =
      elsewhere.length === 0 ? '' : `; there is ${elsewhere.map((remote) => `${remote}:${name}`).join(', ')}`;
    throw new NotFoundError(`Refspec '${name}' not found in ${this.location}${hint}`, {
      refspec: name,
      repository: this.location,
    });
  }

  #parentOf(commit: OstreeChecksum): OstreeChecksum {
    const found = this.#find('commit', commit);
    if (found === undefined) throw this.#missing('commit', commit);
    verifyMetadataObject('commit', commit, found.bytes);
    const { parent } = decodeCommit(found.bytes, commit);
    if (parent === undefined) throw new NotFoundError(`Commit ${commit} has no parent`, { checksum: commit });
    return parent;
  }

  async listRefs(): Promise<ReadonlyMap<string, OstreeChecksum>> {
    const all = new Map<string, OstreeChecksum>();
    for (const refs of this.#refs.toReversed()) {
      // The nearest repository's refs win.
      for (const [name, commit] of refs.all()) all.set(name, commit);
    }
    return Promise.resolve(all);
  }

  readObject(type: MetadataType, checksum: OstreeChecksum): Uint8Array {
    const found = this.#find(type, checksum);
    if (found === undefined) throw this.#missing(type, checksum);
    if (type === 'commit' && found.store.isPartial(checksum)) {
      const where = found.store.path;
      throw new CfsError('PARTIAL', `Commit ${checksum} is only partly in ${where}: its pull was not finished`, {
        checksum,
        repository: where,
      });
    }
    return found.bytes;
  }

  #find(type: MetadataType, checksum: OstreeChecksum): { store: LocalStore; bytes: Uint8Array } | undefined {
    for (const store of this.stores) {
      const bytes = store.readObject(type, checksum);
      if (bytes !== undefined) return { store, bytes };
    }
    return undefined;
  }

  openFile(checksum: OstreeChecksum): FileObject {
    for (const store of this.stores) {
      const file = store.openFile(checksum);
      if (file !== undefined) return file;
    }
    throw this.#missing('file', checksum);
  }

  #missing(type: MetadataType | 'file', checksum: OstreeChecksum): NotFoundError {
    const facts = { checksum, type, repository: this.location };
    if (type === 'commit' && this.#find('tombstone-commit', checksum) !== undefined) {
      return new NotFoundError(`Commit ${checksum} was deleted upstream: ${this.location} keeps its tombstone`, facts);
    }
    const words =
      type === 'file' ? `Couldn't find file object '${checksum}'` : `No such metadata object ${checksum}.${type}`;
    return new NotFoundError(`${words} in ${this.location}`, facts);
  }

  describe(): LocalSourceDescription {
    return { kind: 'local', path: this.location, remoteFallback: this.#remoteFallback };
  }

  /** Nothing is held open between calls. */
  close(): void {}

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The repository and its ancestors. `FormatError` if a parent is its own descendant. */
function openChain(path: string, xattrs: XattrReader | undefined): LocalStore[] {
  const stores: LocalStore[] = [];
  const seen = new Set<string>();
  let next: string | undefined = path;
  while (next !== undefined) {
    const real = realPath(next);
    const child = stores.at(-1);
    if (child !== undefined && seen.has(real)) {
      throw new FormatError(child.config.keyFile.format, 'core.parent', `the parents of ${path} lead back to ${next}`);
    }
    seen.add(real);
    const store: LocalStore = new LocalStore(next, xattrs);
    stores.push(store);
    next = store.config.parent;
  }
  return stores;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new NotFoundError(`There is no OSTree repository at ${path}`, { path }, error);
  }
}
