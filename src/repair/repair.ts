/**
 * Repairs what a check of a repository finds:
 *
 * 1. Damaged objects get a second name in `lost+found`, since they may be replaced.
 * 2. What is lost is looked for in the repository itself, by its digest (salvage.ts).
 * 3. Every commit that something is wrong with is rebuilt, from what is there and from sources (rebuild.ts).
 * 4. What is damaged for good, and needed by nobody any more, goes to `lost+found` (clean.ts).
 *
 * Each step leaves the repository no worse than it was, so that a repair may be killed at any moment, and run again. Broken refs are
 * reported only.
 */
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { commitKnowledge } from '../commit/check.ts';
import type { OnProgress } from '../progress.ts';
import { checkRepository } from '../repository/fsck.ts';
import { isClean, type FsckReport } from '../repository/fsck-report.ts';
import type { LockOptions } from '../repository/lock.ts';
import type { Repository } from '../repository/repository.ts';
import { objectPath, type ObjectId } from '../verity/object-id.ts';
import { moveUnneeded } from './clean.ts';
import { findDamage } from './damage.ts';
import { KnownObjects } from './known.ts';
import { LostFound } from './lost-found.ts';
import { rebuildCommit, type RebuildTask, type RebuiltCommit } from './rebuild.ts';
import { salvageObjects } from './salvage.ts';
import type { RepairSource } from './sources.ts';

export interface RepairOptions extends LockOptions {
  /** Asked in this order for what is lost. */
  readonly sources?: readonly RepairSource[] | undefined;
  /** Do not hash the objects: only what is missing is repaired. */
  readonly metadataOnly?: boolean | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface RepairReport {
  readonly before: FsckReport;
  readonly commits: readonly RebuiltCommit[];
  /** Commits that could not be rebuilt, with the reason. */
  readonly failed: readonly { readonly commit: OstreeChecksum; readonly problem: string }[];
  /** Objects that were had again from within the repository. */
  readonly salvaged: readonly ObjectId[];
  /** Paths that were taken out of the repository. */
  readonly moved: readonly string[];
  /** Where copies are of what was replaced. */
  readonly lostFound: string | undefined;
  /** What is left. */
  readonly after: FsckReport;
}

/** @throws CfsError LOCKED, CANCELLED, NO_SPACE; UnsupportedError for a repository that must not be written to. */
export async function repairRepository(repository: Repository, options: RepairOptions = {}): Promise<RepairReport> {
  const { sources = [], metadataOnly, signal, onProgress, onNote } = options;
  repository.assertWritable();
  const release = await repository.hold(options);
  try {
    const check = (): Promise<FsckReport> =>
      checkRepository(repository, { metadataOnly, signal, onProgress, streams: commitKnowledge(repository) });
    const before = await check();
    const lostFound = new LostFound(repository.path);
    const commits: RebuiltCommit[] = [];
    const failed: { commit: OstreeChecksum; problem: string }[] = [];
    if (isClean(before)) {
      return { before, commits, failed, salvaged: [], moved: [], lostFound: undefined, after: before };
    }
    const damage = findDamage(repository, before);
    for (const id of damage.objects) lostFound.keep(`objects/${objectPath(id)}`);
    lostFound.sync();
    const lost = new Set([...damage.objects, ...damage.missing]);
    const salvaged = await salvageObjects(repository, lost, before, damage, lostFound, signal);
    const objects = new Set([...damage.objects].filter((id) => !salvaged.has(id)));
    using known = await KnownObjects.open(repository, { ...damage, objects });
    const task: RebuildTask = { repository, damaged: damage, known, sources, lostFound, signal, onProgress, onNote };
    for (const commit of damage.commits) {
      signal?.throwIfAborted();
      try {
        commits.push(await rebuildCommit(task, commit));
      } catch (error) {
        if (!(error instanceof CfsError) || hasCode(error, 'CANCELLED', 'NO_SPACE', 'LOCKED')) throw error;
        failed.push({ commit, problem: error.message });
      }
    }
    const moved = moveUnneeded(repository, damage, lostFound);
    const after = await check();
    return { before, commits, failed, salvaged: [...salvaged], moved, lostFound: lostFound.folder, after };
  } finally {
    release();
  }
}
