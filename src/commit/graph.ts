/**
 * The metadata graph of one commit: the commit, every dirtree and dirmeta that it reaches, verified and decoded, and the
 * checksums of its files. It is read once, from a source or from a stored commit stream, and then serves the pull and the tree.
 *
 * Objects are shared within the graph, so a small graph can stand for a tree too large for any machine: thirty dirtrees that
 * name the next one twice are 2^30 directories. The size of the tree is therefore computed on the graph, before any tree is made.
 */
import { setImmediate as pause } from 'node:timers/promises';
import { CfsError, FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit, type Commit } from '../../ostree/commit.ts';
import { decodeDirMeta, type DirMeta } from '../../ostree/dirmeta.ts';
import { decodeDirTree, type DirTree } from '../../ostree/dirtree.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import type { HashedMetadataType } from '../../ostree/object-type.ts';
import type { OnProgress } from '../progress.ts';

/** Paths of at most PATH_MAX bytes cannot be deeper: each level has a slash and a name. */
const MAX_DEPTH = 2048;
/** Directories, files and symlinks of a tree. */
const MAX_INODES = 10_000_000;
/**
 * A tree of more inodes than the first number may have so many for each entry of its dirtrees. Real trees have one, but for some
 * directories that are the same; 21 dirtrees that name the next one twice are two million directories and gigabytes of memory.
 */
const MAX_SHARED = { inodes: 200_000, perEntry: 32 };

/** Bytes of metadata: real commits have some tens of millions at most. */
const MAX_SIZE = 1024 * 1024 * 1024;

/** Milliseconds of reading after which timers and signals are let in: reading from memory or files never waits. */
const BREATH = 50;

export interface CommitGraph {
  readonly checksum: OstreeChecksum;
  readonly commit: Commit;
  readonly dirtrees: ReadonlyMap<OstreeChecksum, DirTree>;
  readonly dirmetas: ReadonlyMap<OstreeChecksum, DirMeta>;
  /** The bytes of the commit, dirtrees and dirmetas. */
  readonly objects: ReadonlyMap<OstreeChecksum, Uint8Array>;
  /** Regular files and symlinks, in the order in which the tree first names them. */
  readonly files: ReadonlySet<OstreeChecksum>;
}

/** Gives the bytes of an object, which need not be verified. */
export type ReadMetadata = (type: HashedMetadataType, checksum: OstreeChecksum) => Uint8Array | Promise<Uint8Array>;

export interface WalkOptions {
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Objects that are read at the same time; only worth it where reading waits. */
  readonly concurrency?: number;
  /** Most bytes of metadata, 1 GiB unless given. */
  readonly limit?: number;
}

type Reference = readonly [type: 'dirtree' | 'dirmeta', checksum: OstreeChecksum];

/**
 * Reads the whole graph of a commit.
 * @throws ChecksumError, FormatError for a bad object; CfsError LIMIT for a tree past the limits; whatever `read` throws.
 */
export async function readCommitGraph(
  checksum: OstreeChecksum,
  read: ReadMetadata,
  { onProgress, signal, concurrency = 1, limit = MAX_SIZE }: WalkOptions = {},
): Promise<CommitGraph> {
  const objects = new Map<OstreeChecksum, Uint8Array>();
  const dirtrees = new Map<OstreeChecksum, DirTree>();
  const dirmetas = new Map<OstreeChecksum, DirMeta>();
  const files = new Set<OstreeChecksum>();
  const queued = new Map<OstreeChecksum, string>();
  const queue: Reference[] = [];

  let size = 0;
  let entries = 0;
  const tooLarge = (problem: string): CfsError =>
    new CfsError('LIMIT', `Cannot use commit ${checksum}: ${problem}`, { object: checksum });

  const accept = (type: HashedMetadataType, name: OstreeChecksum, bytes: Uint8Array): void => {
    verifyMetadataObject(type, name, bytes);
    objects.set(name, bytes);
    size += bytes.length;
    if (size > limit) throw tooLarge(`more than ${limit} bytes of metadata`);
    onProgress?.({ phase: 'metadata', done: objects.size });
  };
  const enqueue = (type: 'dirtree' | 'dirmeta', name: OstreeChecksum): void => {
    const known = queued.get(name);
    if (known === undefined) queue.push([type, name]);
    else if (known !== type) throw new FormatError(`${type} ${name}`, 'checksum', `also used as a ${known}`);
    queued.set(name, type);
  };
  const visit = ([type, name]: Reference, bytes: Uint8Array): void => {
    accept(type, name, bytes);
    if (type === 'dirmeta') {
      dirmetas.set(name, decodeDirMeta(bytes, name));
      return;
    }
    const tree = decodeDirTree(bytes, name);
    dirtrees.set(name, tree);
    // The size of the tree is only known at the end, but it is no less than this.
    entries += tree.files.length + tree.directories.length;
    if (entries > MAX_INODES) throw tooLarge(`more than ${MAX_INODES} inodes`);
    for (const file of tree.files) files.add(file.checksum);
    for (const directory of tree.directories) {
      enqueue('dirmeta', directory.meta);
      enqueue('dirtree', directory.tree);
    }
  };

  const visitLater = async (reference: Reference, bytes: Promise<Uint8Array>): Promise<void> => {
    visit(reference, await bytes);
  };

  const commitObject = await read('commit', checksum);
  accept('commit', checksum, commitObject);
  const commit = decodeCommit(commitObject, checksum);
  queued.set(checksum, 'commit');
  enqueue('dirmeta', commit.rootMeta);
  enqueue('dirtree', commit.rootTree);
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let breath = performance.now();
  while (queue.length > 0 || running.size > 0) {
    if (performance.now() - breath > BREATH) {
      await pause();
      breath = performance.now();
    }
    signal?.throwIfAborted();
    throwFailure(failure);
    const next = running.size < concurrency ? queue.pop() : undefined;
    if (next === undefined) {
      await Promise.race(running);
      continue;
    }
    const bytes = read(...next);
    if (bytes instanceof Uint8Array) {
      visit(next, bytes);
    } else {
      const visited = visitLater(next, bytes)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(visited));
      running.add(visited);
    }
  }
  throwFailure(failure);
  for (const name of files) {
    const other = queued.get(name);
    if (other !== undefined) throw new FormatError(`${other} ${name}`, 'checksum', 'also used as a file');
  }
  const graph = { checksum, commit, dirtrees, dirmetas, objects, files };
  checkSize(graph);
  return graph;
}

function throwFailure(failure: { readonly error: unknown } | undefined): void {
  if (failure !== undefined) throw failure.error;
}

interface Extent {
  /** Inodes below the directory, itself included. */
  readonly inodes: number;
  /** Levels below the directory. */
  readonly depth: number;
}

/** Computes the extent of each dirtree once, children before parents, without recursion. */
function checkSize({ checksum, commit, dirtrees }: CommitGraph): void {
  let entries = 1;
  for (const tree of dirtrees.values()) entries += tree.files.length + tree.directories.length;
  const most = Math.min(MAX_INODES, Math.max(MAX_SHARED.inodes, MAX_SHARED.perEntry * entries));
  const extents = new Map<OstreeChecksum, Extent | 'open'>();
  const stack: OstreeChecksum[] = [commit.rootTree];
  while (stack.length > 0) {
    const name = stack.at(-1)!;
    const tree = dirtrees.get(name)!;
    if (extents.get(name) === undefined) {
      extents.set(name, 'open');
      for (const child of tree.directories) {
        const extent = extents.get(child.tree);
        if (extent === 'open') throw new FormatError(`dirtree ${name}`, 'directories', `${child.tree} contains itself`);
        if (extent === undefined) stack.push(child.tree);
      }
      continue;
    }
    stack.pop();
    if (extents.get(name) !== 'open') continue;
    let inodes = 1 + tree.files.length;
    let depth = 0;
    for (const child of tree.directories) {
      const extent = extents.get(child.tree) as Extent;
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
