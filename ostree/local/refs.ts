/**
 * Refs of one repository on disk: `refs/heads/REF`, `refs/remotes/REMOTE/REF`, `refs/mirrors/COLLECTION/REF`, each a file of 64
 * hex digits and white space, or a symlink to such a file inside `refs`.
 */
import { readdirSync, realpathSync, statSync, type Dirent } from 'node:fs';
import { join, sep } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { parseChecksum, type OstreeChecksum } from '../checksum.ts';
import { formatRefspec, isRefName, type Refspec } from '../ref.ts';
import type { FileReader } from './file-reader.ts';

/** No ref file is larger. */
const MAX_REF_SIZE = 4096;
/** Folders inside each other that are searched for refs. */
const MAX_DEPTH = 128;

/** The refs below the repository folder `repository`. */
export class LocalRefs {
  readonly #root: string;
  readonly #reader: FileReader;

  constructor(repository: string, reader: FileReader) {
    this.#root = join(repository, 'refs');
    this.#reader = reader;
  }

  /**
   * What `refspec` means here, or undefined. Without a remote: `heads/REF`; a ref that itself begins with `heads/`, `remotes/` or
   * `mirrors/` also from the folder `refs`; with `remoteFallback` then `remotes/REF` and REF of each remote.
   */
  resolve({ remote, ref }: Refspec, remoteFallback: boolean): OstreeChecksum | undefined {
    if (remote !== undefined) return this.#read(`remotes/${remote}/${ref}`);
    const local =
      this.#read(`heads/${ref}`) ?? (/^(?:heads|remotes|mirrors)\//.test(ref) ? this.#read(ref) : undefined);
    if (local !== undefined || !remoteFallback) return local;
    const named = this.#read(`remotes/${ref}`);
    if (named !== undefined) return named;
    const [first] = this.remotesWith(ref);
    return first === undefined ? undefined : this.#read(`remotes/${first}/${ref}`);
  }

  /** The remotes that have `ref`, in directory order. */
  remotesWith(ref: string): string[] {
    return this.#list('remotes').flatMap(({ name }) =>
      this.#read(`remotes/${name}/${ref}`) === undefined ? [] : [name],
    );
  }

  /** Every ref, by the name that `resolve` or the command line takes. Dangling aliases and foreign files are left out. */
  all(): Map<string, OstreeChecksum> {
    const refs = new Map<string, OstreeChecksum>();
    this.#collect('heads', '', (name) => name, refs);
    for (const { name: remote } of this.#list('remotes')) {
      this.#collect(`remotes/${remote}`, '', (ref) => formatRefspec({ remote, ref }), refs);
    }
    for (const { name: collection } of this.#list('mirrors')) {
      this.#collect(`mirrors/${collection}`, '', (ref) => `mirrors/${collection}/${ref}`, refs);
    }
    return refs;
  }

  #collect(folder: string, prefix: string, nameOf: (ref: string) => string, refs: Map<string, OstreeChecksum>): void {
    if (folder.split('/').length > MAX_DEPTH) throw this.#corrupt(folder, 'too many folders inside each other');
    for (const entry of this.#list(folder)) {
      const ref = `${prefix}${entry.name}`;
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        this.#collect(path, `${ref}/`, nameOf, refs);
      } else if (isRefName(ref)) {
        const checksum = this.#read(path);
        if (checksum !== undefined) refs.set(nameOf(ref), checksum);
      }
    }
  }

  #list(folder: string): Dirent[] {
    try {
      return readdirSync(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  /** The checksum in a ref file; undefined if there is no such file, `CfsError` if it holds anything else. */
  #read(name: string): OstreeChecksum | undefined {
    const path = this.#locate(name);
    const bytes = path === undefined ? undefined : this.#reader.readWhole(path, MAX_REF_SIZE);
    if (bytes === undefined) return undefined;
    try {
      return parseChecksum(Buffer.from(bytes).toString('latin1').trimEnd());
    } catch (error) {
      throw new CfsError(
        'CORRUPT',
        `The ref file ${join(this.#root, name)} does not hold a checksum`,
        { ref: name },
        error,
      );
    }
  }

  /** The file that a ref is, aliases followed; undefined if there is none or it is a folder of refs. */
  #locate(name: string): string | undefined {
    try {
      const path = realpathSync(join(this.#root, name));
      if (!path.startsWith(realpathSync(this.#root) + sep)) throw this.#corrupt(name, `it is an alias of ${path}`);
      return statSync(path).isDirectory() ? undefined : path;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined;
      if (hasCode(error, 'ELOOP')) throw this.#corrupt(name, 'its aliases form a loop');
      throw error;
    }
  }

  #corrupt(name: string, problem: string): CfsError {
    return new CfsError('CORRUPT', `The ref ${join(this.#root, name)} cannot be followed: ${problem}`, { ref: name });
  }
}
