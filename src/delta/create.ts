/** Makes the static delta between two stored commits, or from nothing to one. */
import { readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeSuperblock } from '../../ostree/delta/make/superblock.ts';
import { openLocalRepository, type LocalRepository } from '../../ostree/local/repository.ts';
import { loosePath } from '../../ostree/object-type.ts';
import { assertComplete } from '../commit/partial.ts';
import { readCommit, storedGraph } from '../commit/stored.ts';
import { getXattr, listXattrs } from '../linux/xattr.ts';
import type { Repository } from '../repository/repository.ts';
import { Destination, type DeltaPlace } from './destination.ts';
import type { FileCounts, MadePart } from './part-job.ts';
import { makeAllParts, type MakeOptions } from './part-pool.ts';
import { planDelta } from './plan.ts';
import type { DeltaEnd } from './sources.ts';
import { requireLiblzma } from './xz.ts';

const MEGABYTE = 1_000_000;

/** What `ostree static-delta generate` has, in bytes. */
const deltaDefaults = {
  maxChunkSize: 32 * MEGABYTE,
  minFallbackSize: 4 * MEGABYTE,
  maxPatchSize: 128 * MEGABYTE,
} as const;

export interface CreateDeltaOptions extends MakeOptions {
  /** Undefined for a delta from nothing. */
  readonly from: OstreeChecksum | undefined;
  readonly to: OstreeChecksum;
  readonly place: DeltaPlace;
  /** One file instead of a folder of them. */
  readonly inline?: boolean | undefined;
  /** Bytes of a part before compression: a part of several objects has no more. */
  readonly maxChunkSize?: number | undefined;
  /**
   * Files of more bytes that no old file is like are left out, and fetched by themselves from the repository that has the delta; 0 for
   * none. By default none for a new file or folder, which is complete then.
   */
  readonly minFallbackSize?: number | undefined;
  /** Bytes of an old and a new file together that are compared in memory; larger ones are searched for equal pieces only. */
  readonly maxPatchSize?: number | undefined;
  /** False: no bsdiff patches, only copies. */
  readonly patches?: boolean | undefined;
}

export interface CreatedDelta {
  readonly from: OstreeChecksum | undefined;
  readonly to: OstreeChecksum;
  /** The file or folder. */
  readonly path: string;
  /** Bytes of all its files. */
  readonly size: number;
  /** Bytes of the objects that it makes. */
  readonly usize: number;
  readonly parts: readonly Pick<MadePart, 'checksum' | 'size' | 'usize' | 'payloadSize' | 'objectCount'>[];
  readonly files: FileCounts;
  readonly fallbacks: readonly { readonly checksum: OstreeChecksum; readonly size: number; readonly usize: number }[];
}

/**
 * Makes it; when it returns, the delta is durable. Every object that goes into it is compared with its checksum.
 * @throws NotFoundError for a commit that is not stored; ChecksumError, FormatError, CfsError CORRUPT for damaged ones, PARTIAL for one
 *   stored in part; UnsupportedError without liblzma; CfsError CONFLICT if the path exists, LIMIT for one file of more than 128 MiB.
 */
export async function createDelta(repository: Repository, options: CreateDeltaOptions): Promise<CreatedDelta> {
  const { from, to, place, inline = false, signal, onProgress } = options;
  if (from === to) throw new CfsError('USAGE', `Cannot make a delta from commit ${to} to itself`, { commit: to });
  const release = await repository.hold({ signal });
  try {
    requireLiblzma();
    const published = place.kind === 'repository' ? openPublished(place.path, to) : undefined;
    const limits = {
      maxChunkSize: options.maxChunkSize ?? deltaDefaults.maxChunkSize,
      minFallbackSize: options.minFallbackSize ?? (published === undefined ? 0 : deltaDefaults.minFallbackSize),
    };
    const target = await openEnd(repository, to);
    const plan = planDelta(from === undefined ? undefined : await openEnd(repository, from), target, limits);
    using destination = new Destination(place, from, to);
    const job = {
      ...limits,
      store: { path: repository.path, algorithm: repository.algorithm, secure: repository.secure },
      folder: destination.folder,
      maxPatchSize: options.maxPatchSize ?? deltaDefaults.maxPatchSize,
      patches: options.patches ?? true,
    };
    const made = await makeAllParts(job, plan, { threads: options.threads, signal, onProgress });
    const parts = made.flatMap((each) => each.parts);
    const fallbacks = [...plan.fallbacks, ...made.flatMap((each) => each.fallbacks)].map(({ checksum, size }) => {
      return { checksum, size: published?.storedSize(checksum) ?? size, usize: size };
    });
    const partFile = ({ file }: MadePart): string => join(destination.folder, file);
    const superblock = encodeSuperblock({
      from,
      to,
      commit: target.graph.objects.get(to)!,
      commitMeta: published?.commitMeta,
      time: Math.floor(Date.now() / 1000),
      parts,
      fallbacks,
      inline: inline ? parts.map((part) => readFileSync(partFile(part))) : undefined,
    });
    destination.write('superblock', superblock);
    for (const [i, part] of parts.entries()) {
      if (inline) destination.remove(part.file);
      else renameSync(partFile(part), join(destination.folder, String(i)));
    }
    signal?.throwIfAborted();
    destination.publish(inline && place.kind === 'path' ? 'superblock' : undefined);
    const size = superblock.length + (inline ? 0 : parts.reduce((sum, part) => sum + part.size, 0));
    const usize = parts.reduce((sum, part) => sum + part.usize, 0);
    return {
      from,
      to,
      path: destination.path,
      size,
      usize,
      parts,
      files: total(made.map(({ counts }) => counts)),
      fallbacks,
    };
  } finally {
    release();
  }
}

async function openEnd(repository: Repository, commit: OstreeChecksum): Promise<DeltaEnd> {
  const stored = readCommit(repository, commit);
  assertComplete(commit, stored.content);
  return { stored, graph: await storedGraph(stored) };
}

function total(counts: readonly FileCounts[]): FileCounts {
  const sum = (count: keyof FileCounts): number => counts.reduce((all, each) => all + each[count], 0);
  return { copied: sum('copied'), patched: sum('patched'), whole: sum('whole') };
}

interface PublishedRepository {
  /** Signatures of the commit, which whoever pulls it by the delta verifies it with. */
  readonly commitMeta: Uint8Array | undefined;
  /** Bytes of a file as it is fetched, if the repository is one that others fetch from and has it. */
  storedSize(checksum: OstreeChecksum): number | undefined;
}

/** @throws NotFoundError if there is no repository, or not the commit in it. */
function openPublished(path: string, commit: OstreeChecksum): PublishedRepository {
  using repository = openLocalRepository(path, { xattrs: { getXattr, listXattrs } });
  if (find(repository, 'commit', commit) === undefined) {
    throw new NotFoundError(
      `Cannot put a delta into ${path}: it lacks commit ${commit}; bring it there with 'cfs ostree export' or 'ostree pull-local'`,
      { path, object: commit },
    );
  }
  const commitMeta = find(repository, 'commitmeta', commit);
  const archives = repository.stores.filter(({ config }) => config.mode === 'archive');
  return {
    commitMeta,
    storedSize(checksum) {
      for (const store of archives) {
        const stat = statSync(join(store.path, 'objects', loosePath('file', checksum, true)), {
          throwIfNoEntry: false,
        });
        if (stat !== undefined) return stat.size;
      }
      return undefined;
    },
  };
}

function find(
  repository: LocalRepository,
  type: 'commit' | 'commitmeta',
  checksum: OstreeChecksum,
): Uint8Array | undefined {
  try {
    return repository.readObject(type, checksum);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
