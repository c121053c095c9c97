/**
 * Writes objects: an unnamed file in `objects/` is filled by the caller, who then knows its digest, and gets that as its name. An
 * object that is visible is complete. Synchronous, for worker threads that store thousands; each has a writer of its own. A
 * transaction of the parent must be open all the while.
 *
 * An object that exists already is trusted if it is a regular file of the right size, and: in a secure repository the kernel
 * measures the right digest; in an insecure one no power failure put it in doubt (unsynced.ts) and it is no stream or image, or
 * else its content hashes to the right digest. What is not trusted is replaced, by rename.
 *
 * Secure mode follows the description of the format; it needs a kernel with fs-verity.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ChecksumError, hasCode } from '../../bytes/errors.ts';
import { ENOENT, SystemError } from '../linux/errno.ts';
import { currentUmask, linkOpenFile, O_TMPFILE, renameNoReplace } from '../linux/files.ts';
import { enableVerity, measureVerity } from '../linux/ioctl.ts';
import { algorithmNumber, objectPath, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';
import { measureFile } from './measure.ts';
import { TEMPORARY_OBJECT, temporaryName } from './layout.ts';
import { ObjectNames } from './object-names.ts';

/** What a writer needs to know; plain data, so that it can be handed to a worker. */
export interface ObjectWriterOptions {
  /** The `objects` directory, absolute. */
  readonly objects: string;
  readonly algorithm: HashAlgorithm;
  /** Objects get fs-verity. */
  readonly secure: boolean;
  /** Objects get fs-verity where kernel and file system have it, without a word where not. Not for a secure repository. */
  readonly trySeal?: boolean | undefined;
  /** Existing objects are in doubt after a power failure. */
  readonly suspect: boolean;
  /** Objects that were found to be damaged: they are hashed before they are reused. */
  readonly damaged?: ReadonlySet<ObjectId> | undefined;
  /** Sync every object before it is linked. */
  readonly fsync: boolean;
  /**
   * The prefix directories that were there at the beginning; any may be unless given. Objects with another prefix are new, so
   * that a repository in which most are spares a look for each.
   */
  readonly prefixes?: ReadonlySet<string> | undefined;
}

const MODE = 0o644;

export class ObjectWriter {
  readonly #options: ObjectWriterOptions;
  readonly #objects: string;
  readonly #directory: number;
  readonly #chmod = (MODE & currentUmask()) !== 0;
  /** Names of files that are open, once unnamed ones turned out not to be supported. */
  #named: Map<number, string> | undefined;
  #names: ObjectNames | undefined;

  /** Creates the `objects` directory if need be. */
  constructor(options: ObjectWriterOptions) {
    this.#options = options;
    this.#objects = options.objects;
    mkdirSync(this.#objects, { recursive: true });
    this.#directory = openSync(this.#objects, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** Must not be used afterwards. */
  close(): void {
    closeSync(this.#directory);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** As if unnamed files were not supported. */
  useNamedFiles(): void {
    this.#named ??= new Map();
  }

  /** The descriptor of a new file, open for reading and writing. It ends with `commit` or `abort`, whichever comes. */
  begin(): number {
    if (this.#named === undefined) {
      try {
        const fd = openSync(this.#objects, O_TMPFILE | constants.O_RDWR, MODE);
        if (this.#chmod) fchmodSync(fd, MODE);
        return fd;
      } catch (error) {
        // Kernels without it see an attempt to open a directory for writing.
        if (!hasCode(error, 'ENOTSUP', 'EISDIR', 'EINVAL')) throw error;
        this.useNamedFiles();
      }
    }
    const path = join(this.#objects, temporaryName(TEMPORARY_OBJECT));
    const fd = openSync(path, 'wx+', MODE);
    if (this.#chmod) fchmodSync(fd, MODE);
    this.#named?.set(fd, path);
    return fd;
  }

  /**
   * Gives the complete file its name, and closes it.
   *
   * @param id the digest of the content, which the caller has computed over what it wrote.
   * @param measure trust an object that is there only after hashing it.
   * @returns `present` if the repository had a good object of that name.
   * @throws ChecksumError in a secure repository, if the kernel measures another digest.
   */
  commit(fd: number, id: ObjectId, size: number, measure = this.#options.suspect): 'stored' | 'present' {
    const named = this.#named?.get(fd);
    let file = fd;
    try {
      if (this.#options.fsync) fsyncSync(fd);
      if (this.#options.secure) {
        if (this.has(id, size)) {
          if (named !== undefined) unlinkSync(named);
          return 'present';
        }
        // No descriptor that is open for writing may be left when fs-verity is enabled.
        file = openSync(`/proc/self/fd/${fd}`, 'r');
        closeSync(fd);
        this.#seal(file, id);
      } else if (this.#options.trySeal === true) {
        file = openSync(`/proc/self/fd/${fd}`, 'r');
        closeSync(fd);
        tryEnableVerity(file, algorithmNumber(this.#options.algorithm));
      }
      return named === undefined
        ? this.#linkUnnamed(file, id, size, measure)
        : this.#renameNamed(named, id, size, measure);
    } catch (error) {
      if (named !== undefined) tryUnlink(named);
      throw error;
    } finally {
      this.#named?.delete(fd);
      closeSync(file);
    }
  }

  /**
   * True if another repository's object, open for reading, can become one here by `commit`, as a hard link: it lies on this file
   * system, and nobody else may change it. Not in a secure repository, whose objects it seals itself.
   */
  canAdopt(fd: number): boolean {
    if (this.#options.secure) return false;
    const { dev, uid, mode } = fstatSync(fd);
    return dev === fstatSync(this.#directory).dev && uid === process.geteuid?.() && (mode & 0o7777) === MODE;
  }

  /** Drops a file that was begun. */
  abort(fd: number): void {
    closeSync(fd);
    const named = this.#named?.get(fd);
    if (named === undefined) return;
    this.#named?.delete(fd);
    unlinkSync(named);
  }

  /**
   * True if the object exists and is trusted, so that it need not be written. False may also mean that it was stored since
   * the repository was opened.
   */
  has(id: ObjectId, size: number): boolean {
    const { prefixes } = this.#options;
    if (prefixes !== undefined && !prefixes.has(id.slice(0, 2))) return false;
    return this.#isTrusted(id, size);
  }

  /**
   * As `has`, for very many objects that other commits use: directories are listed, and sizes are not compared where a name is
   * trusted at all.
   */
  hasListed(id: ObjectId, size: number): boolean {
    const { secure, suspect, damaged } = this.#options;
    if (secure || suspect || damaged !== undefined) return this.has(id, size);
    return (this.#names ??= new ObjectNames(this.#objects)).has(id);
  }

  #isTrusted(id: ObjectId, size: number, measure = this.#options.suspect): boolean {
    const path = `${this.#objects}/${objectPath(id)}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.size !== size || !stat.isFile()) return false;
    const { secure, algorithm, damaged } = this.#options;
    if (!secure && !measure && damaged?.has(id) !== true) return true;
    const fd = openSync(path, 'r');
    try {
      if (!secure) return measureFile(fd, algorithm) === id;
      const measured = measureVerity(fd);
      return (
        typeof measured === 'object' && measured.digest === id && measured.algorithm === algorithmNumber(algorithm)
      );
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Stores content that is in memory, under its digest. An object that is there is hashed: streams and images are few, and all
   * else depends on them.
   */
  store(content: Uint8Array, id: ObjectId): 'stored' | 'present' {
    if (this.#isTrusted(id, content.length, true)) return 'present';
    const fd = this.begin();
    try {
      for (let offset = 0; offset < content.length;) offset += writeSync(fd, content, offset);
    } catch (error) {
      this.abort(fd);
      throw error;
    }
    return this.commit(fd, id, content.length, true);
  }

  #linkUnnamed(fd: number, id: ObjectId, size: number, measure: boolean): 'stored' | 'present' {
    const path = objectPath(id);
    let result = linkOpenFile(fd, this.#directory, path);
    if (result === ENOENT) {
      this.#makePrefix(id);
      result = linkOpenFile(fd, this.#directory, path);
    }
    if (result === 0) return 'stored';
    if (result === ENOENT) throw new SystemError(ENOENT, 'linkat', path);
    if (this.#isTrusted(id, size, measure)) return 'present';
    const temporary = temporaryName(TEMPORARY_OBJECT);
    linkOpenFile(fd, this.#directory, temporary);
    renameSync(`${this.#objects}/${temporary}`, `${this.#objects}/${path}`);
    return 'stored';
  }

  #renameNamed(named: string, id: ObjectId, size: number, measure: boolean): 'stored' | 'present' {
    const path = `${this.#objects}/${objectPath(id)}`;
    this.#makePrefix(id);
    if (renameNoReplace(named, path)) return 'stored';
    if (this.#isTrusted(id, size, measure)) {
      unlinkSync(named);
      return 'present';
    }
    renameSync(named, path);
    return 'stored';
  }

  #makePrefix(id: ObjectId): void {
    try {
      mkdirSync(`${this.#objects}/${id.slice(0, 2)}`, 0o755);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }

  #seal(file: number, id: ObjectId): void {
    const algorithm = algorithmNumber(this.#options.algorithm);
    for (let attempt = 0; ; attempt++) {
      try {
        enableVerity(file, algorithm);
        break;
      } catch (error) {
        // A child process that is just being started has our descriptors until it executes its program.
        if (!hasCode(error, 'ETXTBSY') || attempt >= 100) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
    const measured = measureVerity(file);
    const digest = typeof measured === 'string' ? measured : measured.digest;
    if (digest !== id) throw new ChecksumError('new object', id, digest);
  }
}

function tryEnableVerity(file: number, algorithm: 1 | 2): void {
  try {
    enableVerity(file, algorithm);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

function tryUnlink(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
