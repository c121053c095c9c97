/** Paths in the tree of a commit. */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { CommitGraph } from './graph.ts';
import { pathNames } from './subpaths.ts';

export interface DirectoryEntry {
  readonly kind: 'directory';
  readonly tree: OstreeChecksum;
  readonly meta: OstreeChecksum;
}

export type PathEntry =
  | DirectoryEntry
  | { readonly kind: 'file'; readonly checksum: OstreeChecksum }
  /** A partial graph lacks a dirtree on the way. */
  | { readonly kind: 'unknown'; readonly tree: OstreeChecksum };

/** What is at an absolute path; undefined for nothing. @throws CfsError USAGE for a path that is none. */
export function lookUp({ commit, dirtrees }: CommitGraph, path: string): PathEntry | undefined {
  let found: PathEntry = { kind: 'directory', tree: commit.rootTree, meta: commit.rootMeta };
  for (const name of pathNames(path)) {
    if (found.kind !== 'directory') return undefined;
    const tree = dirtrees.get(found.tree);
    if (tree === undefined) return { kind: 'unknown', tree: found.tree };
    const directory = tree.directories.find((each) => each.name === name);
    const file = tree.files.find((each) => each.name === name);
    if (directory !== undefined) found = { kind: 'directory', tree: directory.tree, meta: directory.meta };
    else if (file !== undefined) found = { kind: 'file', checksum: file.checksum };
    else return undefined;
  }
  return found;
}
