/** Where a delta is written: complete and on the disk before anything has its name, and never mixed with one that was there. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { deltaFolder } from '../../ostree/delta/format.ts';
import { exchange, renameNoReplace } from '../linux/files.ts';
import { syncDirectories } from '../repository/links.ts';
import { WorkFolder } from './work-folder.ts';

export type DeltaPlace =
  /** A new file (for a delta in one file) or folder. */
  | { readonly kind: 'path'; readonly path: string }
  /** The place of the delta in an OSTree repository; one that is there is replaced as a whole. */
  | { readonly kind: 'repository'; readonly path: string };

export class Destination implements Disposable {
  /** Absolute: what the delta will be called. */
  readonly path: string;
  readonly #replace: boolean;
  readonly #work: WorkFolder;
  /** Directories with new ones in them. */
  readonly #touched = new Set<string>();

  /** @throws CfsError CONFLICT if a new file or folder is asked for and something is there; errors of the file system. */
  constructor(place: DeltaPlace, from: OstreeChecksum | undefined, to: OstreeChecksum) {
    this.#replace = place.kind === 'repository';
    const root = resolve(place.path);
    this.path = place.kind === 'repository' ? join(root, deltaFolder(from, to)) : root;
    if (!this.#replace && existsSync(root)) throw exists(root);
    // That of a repository is where libostree, too, cleans up what was left behind.
    const parent = place.kind === 'repository' ? join(root, 'tmp') : dirname(root);
    this.#makeDirectory(parent);
    this.#work = new WorkFolder(parent, place.kind === 'repository' ? 'cfs-delta-' : '.cfs-delta-');
  }

  /** Absolute: a folder of our own on the same file system. */
  get folder(): string {
    return this.#work.path;
  }

  /** Writes a file into the folder. */
  write(name: string, content: Uint8Array): void {
    const fd = openSync(join(this.folder, name), 'wx', 0o644);
    try {
      for (let at = 0; at < content.length;) at += writeSync(fd, content, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Removes a file of the folder. */
  remove(name: string): void {
    rmSync(join(this.folder, name));
  }

  /** Gives the folder its name, or with `file` only that file of it. All files have to be on the disk. */
  publish(file?: string): void {
    const parent = dirname(this.path);
    this.#makeDirectory(parent);
    syncDirectories(new Set([this.folder]));
    const made = file === undefined ? this.folder : join(this.folder, file);
    if (!renameNoReplace(made, this.path)) {
      if (!this.#replace) throw exists(this.path);
      exchange(made, this.path);
    }
    syncDirectories(this.#touched.add(parent));
  }

  /** Makes a directory, and those above it that are missing. */
  #makeDirectory(path: string): void {
    const first = mkdirSync(path, { recursive: true });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) this.#touched.add(dirname(made));
  }

  /** Removes the folder, and with it a delta that was replaced. */
  [Symbol.dispose](): void {
    this.#work[Symbol.dispose]();
  }
}

/** True if an OSTree repository has a delta there. */
export function hasDelta(repository: string, from: OstreeChecksum | undefined, to: OstreeChecksum): boolean {
  try {
    return statSync(join(repository, deltaFolder(from, to), 'superblock')).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function exists(path: string): CfsError {
  return new CfsError('CONFLICT', `Cannot write the delta to ${path}: it exists already`, { path });
}
