/**
 * The size of the tree that a metadata graph stands for, computed on the graph before any tree is made. Objects are shared within
 * the graph, so a small graph can stand for a tree too large for any machine: thirty dirtrees that name the next one twice are
 * 2^30 directories.
 */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { CommitGraph } from './graph.ts';

/** Paths of at most PATH_MAX bytes cannot be deeper: each level has a slash and a name. */
const MAX_DEPTH = 2048;
/** Directories, files and symlinks of a tree. */
export const MAX_INODES = 10_000_000;
/**
 * A tree of more inodes than the first number may have so many for each entry of its dirtrees. Real trees have one, but for some
 * directories that are the same; 21 dirtrees that name the next one twice are two million directories and gigabytes of memory.
 */
const MAX_SHARED = { inodes: 200_000, perEntry: 32 };

interface Extent {
  /** Inodes below the directory, itself included. */
  readonly inodes: number;
  /** Levels below the directory. */
  readonly depth: number;
}

const NOT_THERE: Extent = { inodes: 1, depth: 0 };

/**
 * Computes the extent of each dirtree once, children before parents, without recursion. Directories that a partial graph lacks count
 * as empty.
 * @throws CfsError LIMIT for a tree past the limits; FormatError for a directory that contains itself.
 */
export function checkTreeSize({
  checksum,
  commit,
  dirtrees,
}: Pick<CommitGraph, 'checksum' | 'commit' | 'dirtrees'>): void {
  let entries = 1;
  for (const tree of dirtrees.values()) entries += tree.files.length + tree.directories.length;
  const most = Math.min(MAX_INODES, Math.max(MAX_SHARED.inodes, MAX_SHARED.perEntry * entries));
  const extents = new Map<OstreeChecksum, Extent | 'open'>();
  const stack: OstreeChecksum[] = dirtrees.has(commit.rootTree) ? [commit.rootTree] : [];
  while (stack.length > 0) {
    const name = stack.at(-1)!;
    const tree = dirtrees.get(name)!;
    if (extents.get(name) === undefined) {
      extents.set(name, 'open');
      for (const child of tree.directories) {
        const extent = extents.get(child.tree);
        if (extent === 'open') throw new FormatError(`dirtree ${name}`, 'directories', `${child.tree} contains itself`);
        if (extent === undefined && dirtrees.has(child.tree)) stack.push(child.tree);
      }
      continue;
    }
    stack.pop();
    if (extents.get(name) !== 'open') continue;
    let inodes = 1 + tree.files.length;
    let depth = 0;
    for (const child of tree.directories) {
      const extent = (extents.get(child.tree) as Extent | undefined) ?? NOT_THERE;
      inodes += extent.inodes;
      depth = Math.max(depth, 1 + extent.depth);
    }
    if (inodes > most || depth > MAX_DEPTH) {
      const problem =
        depth > MAX_DEPTH
          ? `more than ${MAX_DEPTH} levels`
          : `more than ${most} inodes, of ${entries} distinct entries`;
      throw new CfsError('LIMIT', `Cannot use commit ${checksum}: its tree has ${problem} (at dirtree ${name})`, {
        object: checksum,
        dirtree: name,
      });
    }
    extents.set(name, { inodes, depth });
  }
}
