/** Paths in the tree of a commit. */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { DirTree } from '../../ostree/dirtree.ts';
import type { CommitGraph } from './graph.ts';
import { pathNames } from './subpaths.ts';

export interface DirectoryEntry {
  readonly kind: 'directory';
  readonly tree: OstreeChecksum;
  readonly meta: OstreeChecksum;
}

type NamedEntry = DirectoryEntry | { readonly kind: 'file'; readonly checksum: OstreeChecksum };

export type PathEntry =
  | NamedEntry
  /** A partial graph lacks a dirtree on the way. */
  | { readonly kind: 'unknown'; readonly tree: OstreeChecksum };

/** What is at an absolute path; undefined for nothing. @throws CfsError USAGE for a path that is none. */
export function lookUp({ commit, dirtrees }: CommitGraph, path: string): PathEntry | undefined {
  let found: PathEntry = { kind: 'directory', tree: commit.rootTree, meta: commit.rootMeta };
  for (const name of pathNames(path)) {
    if (found.kind !== 'directory') return undefined;
    const tree = dirtrees.get(found.tree);
    if (tree === undefined) return { kind: 'unknown', tree: found.tree };
    const next = entryNamed(tree, name);
    if (next === undefined) return undefined;
    found = next;
  }
  return found;
}

/** What a directory has under a name. */
export function entryNamed({ directories, files }: DirTree, name: string): NamedEntry | undefined {
  const directory = directories.find((each) => each.name === name);
  if (directory !== undefined) return { kind: 'directory', tree: directory.tree, meta: directory.meta };
  const file = files.find((each) => each.name === name);
  return file && { kind: 'file', checksum: file.checksum };
}
