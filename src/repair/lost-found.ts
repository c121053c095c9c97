/**
 * Copies of what a repair replaces: hard links below `lost+found/` in the root of the repository, where no program looks for
 * anything. Each repair has a folder of its own there, with the paths of the repository below it. Users remove them.
 */
import { constants, copyFileSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import { temporaryName } from '../repository/layout.ts';
import { syncDirectories } from '../repository/links.ts';

export class LostFound {
  readonly #root: string;
  readonly #folder: string;
  readonly #touched = new Set<string>();
  #used = false;

  constructor(root: string) {
    this.#root = root;
    const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
    this.#folder = join(root, 'lost+found', temporaryName(`${time}-`));
  }

  /** The folder, if anything was put into it. */
  get folder(): string | undefined {
    return this.#used ? this.#folder : undefined;
  }

  /** Keeps a copy of a file that may be replaced, durably after `sync`. @param as where it lies in the folder; both are relative. */
  keep(path: string, as = path): void {
    const stat = lstatSync(join(this.#root, path), { throwIfNoEntry: false });
    if (stat === undefined) return;
    // A directory cannot be linked, and nothing can be renamed over it.
    this.#place(path, as, stat.isDirectory() ? renameSync : linkOrCopy);
  }

  /** Takes a file, or anything else, out of the repository. */
  move(path: string): void {
    this.keep(path);
    this.sync();
    const from = join(this.#root, path);
    rmSync(from, { force: true });
    this.#touched.add(dirname(from));
    this.sync();
  }

  /** Where the copy of a file is, that was kept. */
  copyOf(path: string): string {
    return join(this.#folder, path);
  }

  #place(path: string, as: string, place: (from: string, to: string) => void): void {
    const to = join(this.#folder, as);
    mkdirSync(join(this.#root, 'lost+found'), { recursive: true, mode: 0o700 });
    mkdirSync(dirname(to), { recursive: true });
    try {
      place(join(this.#root, path), to);
    } catch (error) {
      // Kept before.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    this.#used = true;
    for (let directory = dirname(to); directory.length >= this.#root.length; directory = dirname(directory)) {
      this.#touched.add(directory);
    }
  }

  /** Makes durable what was kept; before anything is replaced. */
  sync(): void {
    syncDirectories(this.#touched);
  }
}

/** Files of others must not be linked everywhere. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EMLINK')) throw error;
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  }
}
