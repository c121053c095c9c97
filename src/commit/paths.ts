/** The paths of a commit, found in its metadata graph. */
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { DirTree } from '../../ostree/dirtree.ts';
import { decodeArchiveHeader, isSymlinkMode, type ArchiveHeader } from '../../ostree/file-header.ts';
import type { StoredObject } from './content.ts';
import type { CommitGraph } from './graph.ts';
import { entryNamed, type DirectoryEntry } from './graph-path.ts';
import { missingObject } from './partial.ts';

/** As many as Linux follows. */
const MAX_SYMLINKS = 40;

export interface CommitDirectory extends DirectoryEntry {
  /** Absolute, without a slash at the end but for the root. */
  readonly path: string;
}

export interface CommitFile {
  readonly kind: 'file';
  readonly path: string;
  readonly checksum: OstreeChecksum;
  readonly stored: StoredObject;
  /** Of a regular file or a symlink. */
  readonly header: ArchiveHeader;
}

export type CommitEntry = CommitDirectory | CommitFile;

export class CommitPaths {
  readonly #graph: CommitGraph;
  readonly #file: (checksum: OstreeChecksum) => StoredObject | undefined;

  /** @param file gives what the commit stream holds of a file. */
  constructor(graph: CommitGraph, file: (checksum: OstreeChecksum) => StoredObject | undefined) {
    this.#graph = graph;
    this.#file = file;
  }

  get root(): CommitDirectory {
    const { rootTree, rootMeta } = this.#graph.commit;
    return { kind: 'directory', path: '/', tree: rootTree, meta: rootMeta };
  }

  /** What lies in a directory: first files and symlinks, then directories, both by name. */
  *list({ path, tree }: CommitDirectory): Generator<CommitEntry, void> {
    const { files, directories } = this.#dirtree(tree);
    const prefix = path === '/' ? '/' : `${path}/`;
    for (const { name, checksum } of files) yield this.#fileEntry(prefix + name, checksum);
    for (const entry of directories) {
      yield { kind: 'directory', path: prefix + entry.name, tree: entry.tree, meta: entry.meta };
    }
  }

  #dirtree(checksum: OstreeChecksum): DirTree {
    return this.#graph.dirtrees.get(checksum) ?? missingObject(this.#graph, 'dirtree', checksum);
  }

  #fileEntry(path: string, checksum: OstreeChecksum): CommitFile {
    const stored = this.#file(checksum) ?? missingObject(this.#graph, 'file', checksum);
    return { kind: 'file', path, checksum, stored, header: decodeArchiveHeader(stored.data, checksum) };
  }

  /** What lies at a path; symlinks are not followed. @throws NotFoundError; CfsError PARTIAL for what a partial commit lacks. */
  find(path: string): CommitEntry {
    let entry: CommitEntry = this.root;
    for (const name of path.split('/').filter(Boolean)) entry = this.#child(entry, name, path);
    return entry;
  }

  /** The same, with symlinks followed inside of the commit. @throws NotFoundError; CfsError LIMIT for a loop of symlinks. */
  follow(path: string): CommitEntry {
    let names = path.split('/').filter(Boolean);
    const trail: CommitEntry[] = [this.root];
    for (let links = 0; names.length > 0;) {
      const [name = '', ...rest] = names;
      names = rest;
      if (name === '.') continue;
      if (name === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const next = this.#child(trail.at(-1)!, name, path);
      if (next.kind === 'directory' || !isSymlinkMode(next.header.header.mode)) {
        trail.push(next);
        continue;
      }
      if (++links > MAX_SYMLINKS) throw new CfsError('LIMIT', `Too many symlinks on the way to ${path}`, { path });
      const { symlinkTarget } = next.header.header;
      if (symlinkTarget.startsWith('/')) trail.length = 1;
      names = [...symlinkTarget.split('/').filter(Boolean), ...names];
    }
    return trail.at(-1)!;
  }

  #child(parent: CommitEntry, name: string, path: string): CommitEntry {
    if (parent.kind === 'directory') {
      const found = entryNamed(this.#dirtree(parent.tree), name);
      const below = parent.path === '/' ? `/${name}` : `${parent.path}/${name}`;
      if (found?.kind === 'directory') return { ...found, path: below };
      if (found?.kind === 'file') return this.#fileEntry(below, found.checksum);
    }
    const { checksum } = this.#graph;
    throw new NotFoundError(`No such file or directory: ${path} in commit ${checksum}`, { path, commit: checksum });
  }
}
