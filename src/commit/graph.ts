/**
 * The metadata graph of one commit: the commit, every dirtree and dirmeta that it reaches, verified and decoded, and the
 * checksums of its files. It is read once, from a source or from a stored commit stream, and then serves the pull and the tree.
 *
 * A partial graph is that of some paths, or of what is stored of a commit that was pulled in part.
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
import { checkTreeSize, MAX_INODES } from './graph-size.ts';
import { NO_ENTRIES, selectDirectory, selectsFile, union, WHOLE_TREE, type Selection } from './subpaths.ts';

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
  /** True if the tree has objects that are not in it. */
  readonly partial: boolean;
}

/** Gives the bytes of an object, which need not be verified. The signal ends reads that nobody waits for any more. */
export type ReadMetadata = (
  type: HashedMetadataType,
  checksum: OstreeChecksum,
  signal: AbortSignal,
) => Uint8Array | Promise<Uint8Array>;

export interface WalkOptions {
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Objects that are read at the same time; only worth it where reading waits. */
  readonly concurrency?: number;
  /** Most bytes of metadata, 1 GiB unless given. */
  readonly limit?: number;
  /** What of the tree is read: all of it unless given; undefined for nothing but the commit. */
  readonly selection?: Selection | undefined;
  /** Objects that are taken into the graph wherever the tree names them, whatever is selected. */
  readonly has?: ((checksum: OstreeChecksum) => boolean) | undefined;
}

/**
 * Reads the graph of a commit.
 * @throws ChecksumError, FormatError for a bad object; CfsError LIMIT for a tree past the limits; whatever `read` throws.
 */
export async function readCommitGraph(
  checksum: OstreeChecksum,
  read: ReadMetadata,
  options: WalkOptions = {},
): Promise<CommitGraph> {
  const { signal, concurrency = 1 } = options;
  const reads = new AbortController();
  const readSignal = signal === undefined ? reads.signal : AbortSignal.any([signal, reads.signal]);
  const walk = new Walk(checksum, options);
  try {
    walk.start(await read('commit', checksum, readSignal));
    const running = new Set<Promise<void>>();
    let breath = performance.now();
    while (walk.queue.length > 0 || running.size > 0) {
      if (performance.now() - breath > BREATH) {
        await pause();
        breath = performance.now();
        // All that was running may have ended meanwhile, and a race of nothing never ends.
        continue;
      }
      signal?.throwIfAborted();
      const next = running.size < concurrency ? walk.queue.pop() : undefined;
      if (next === undefined) {
        await Promise.race(running);
        continue;
      }
      const bytes = walk.objects.get(next[1]) ?? read(...next, readSignal);
      if (bytes instanceof Uint8Array) {
        walk.visit(next, bytes);
      } else {
        // One that fails stays, for the race to find.
        const visited = visitLater(walk, next, bytes).then(() => void running.delete(visited));
        visited.catch(() => undefined);
        running.add(visited);
      }
    }
  } catch (error) {
    reads.abort(error);
    throw error;
  }
  return walk.finish();
}

async function visitLater(walk: Walk, reference: Reference, bytes: Promise<Uint8Array>): Promise<void> {
  walk.visit(reference, await bytes);
}

type Reference = readonly [type: 'dirtree' | 'dirmeta', checksum: OstreeChecksum];

/** What was read so far, and what is to be read. */
class Walk {
  readonly queue: Reference[] = [];
  readonly objects = new Map<OstreeChecksum, Uint8Array>();
  readonly #checksum: OstreeChecksum;
  readonly #options: WalkOptions;
  readonly #dirtrees = new Map<OstreeChecksum, DirTree>();
  readonly #dirmetas = new Map<OstreeChecksum, DirMeta>();
  readonly #files = new Set<OstreeChecksum>();
  readonly #types = new Map<OstreeChecksum, HashedMetadataType>();
  /** What is to be read below a dirtree, wherever it is used. */
  readonly #selections = new Map<OstreeChecksum, Selection>();
  #commit: Commit | undefined;
  #size = 0;
  #entries = 0;

  constructor(checksum: OstreeChecksum, options: WalkOptions) {
    this.#checksum = checksum;
    this.#options = options;
  }

  start(bytes: Uint8Array): void {
    this.#accept('commit', this.#checksum, bytes);
    this.#commit = decodeCommit(bytes, this.#checksum);
    this.#types.set(this.#checksum, 'commit');
    const selection = 'selection' in this.#options ? this.#options.selection : WHOLE_TREE;
    this.#enqueue(this.#commit.rootTree, this.#commit.rootMeta, selection);
  }

  /** Takes an object that was queued; a dirtree comes again if more of it is selected than at first. */
  visit([type, name]: Reference, bytes: Uint8Array): void {
    if (!this.objects.has(name)) {
      this.#accept(type, name, bytes);
      if (type === 'dirmeta') this.#dirmetas.set(name, decodeDirMeta(bytes, name));
      else this.#addTree(name, decodeDirTree(bytes, name));
    }
    if (type === 'dirtree') this.#descend(this.#dirtrees.get(name)!, this.#selections.get(name)!);
  }

  finish(): CommitGraph {
    for (const name of this.#files) {
      const other = this.#types.get(name);
      if (other !== undefined) throw new FormatError(`${other} ${name}`, 'checksum', 'also used as a file');
    }
    const graph = {
      checksum: this.#checksum,
      commit: this.#commit!,
      dirtrees: this.#dirtrees,
      dirmetas: this.#dirmetas,
      objects: this.objects,
      files: this.#files,
    };
    checkTreeSize(graph);
    this.#options.onProgress?.({ phase: 'metadata', done: this.objects.size, total: this.objects.size });
    return { ...graph, partial: isPartial(graph) };
  }

  #accept(type: HashedMetadataType, name: OstreeChecksum, bytes: Uint8Array): void {
    const { limit = MAX_SIZE, onProgress } = this.#options;
    verifyMetadataObject(type, name, bytes);
    this.objects.set(name, bytes);
    this.#size += bytes.length;
    if (this.#size > limit) throw this.#tooLarge(`more than ${limit} bytes of metadata`);
    onProgress?.({ phase: 'metadata', done: this.objects.size });
  }

  #addTree(name: OstreeChecksum, tree: DirTree): void {
    this.#dirtrees.set(name, tree);
    // The size of the tree is only known at the end, but it is no less than this.
    this.#entries += tree.files.length + tree.directories.length;
    if (this.#entries > MAX_INODES) throw this.#tooLarge(`more than ${MAX_INODES} inodes`);
  }

  #descend(tree: DirTree, selection: Selection): void {
    for (const { name, checksum } of tree.files) {
      if (selectsFile(selection, name) || this.#has(checksum)) this.#files.add(checksum);
    }
    for (const each of tree.directories) this.#enqueue(each.tree, each.meta, selectDirectory(selection, each.name));
  }

  #enqueue(tree: OstreeChecksum, meta: OstreeChecksum, selected: Selection | undefined): void {
    if (selected === undefined && !(this.#has(tree) && this.#has(meta))) return;
    if (!this.#isQueued('dirmeta', meta)) this.queue.push(['dirmeta', meta]);
    const isQueued = this.#isQueued('dirtree', tree);
    const before = this.#selections.get(tree);
    if (before?.whole === true) return;
    const selection = union(before ?? NO_ENTRIES, selected ?? NO_ENTRIES);
    this.#selections.set(tree, selection);
    const isMore = selected !== undefined && this.#dirtrees.has(tree);
    if (!isQueued || isMore) this.queue.push(['dirtree', tree]);
  }

  #isQueued(type: Reference[0], name: OstreeChecksum): boolean {
    const known = this.#types.get(name);
    if (known !== undefined && known !== type)
      throw new FormatError(`${type} ${name}`, 'checksum', `also used as a ${known}`);
    this.#types.set(name, type);
    return known !== undefined;
  }

  #has(checksum: OstreeChecksum): boolean {
    return this.#options.has?.(checksum) === true;
  }

  #tooLarge(problem: string): CfsError {
    return new CfsError('LIMIT', `Cannot use commit ${this.#checksum}: ${problem}`, { object: this.#checksum });
  }
}

function isPartial({ commit, dirtrees, dirmetas, files }: Omit<CommitGraph, 'partial'>): boolean {
  if (!dirtrees.has(commit.rootTree) || !dirmetas.has(commit.rootMeta)) return true;
  for (const tree of dirtrees.values()) {
    if (tree.files.some(({ checksum }) => !files.has(checksum))) return true;
    if (tree.directories.some((each) => !dirtrees.has(each.tree) || !dirmetas.has(each.meta))) return true;
  }
  return false;
}
