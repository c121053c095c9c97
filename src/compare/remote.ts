/**
 * A commit that was not pulled, as something to compare: its metadata is read as a pull would, its files are not. A file that no
 * stored commit has is `NOT_FETCHED`.
 */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeArchiveHeader } from '../../ostree/file-header.ts';
import { S_IFREG } from '../../ostree/mode.ts';
import type { Source } from '../../ostree/source.ts';
import type { StoredObject } from '../commit/content.ts';
import { commitTree } from '../commit/tree.ts';
import { openIndex } from '../pull/index-commits.ts';
import { openCommit, planCommit } from '../pull/plan.ts';
import type { PullOptions } from '../pull/pull.ts';
import { References } from '../pull/references.ts';
import { objectSize } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { NOT_FETCHED } from './fields.ts';
import type { Operand } from './operand.ts';

/** What a pull would fetch. */
export interface FetchCost {
  readonly objects: {
    readonly metadata: number;
    readonly files: number;
    /** Bytes of the files, as far as the commit tells them. */
    readonly bytes: number | undefined;
  };
  /** The static delta that a pull would use in place of that. */
  readonly delta: { readonly from: OstreeChecksum | undefined; readonly bytes: number } | undefined;
}

/**
 * @param base is a stored commit to compare with.
 * @throws what the source throws; ChecksumError, FormatError and CfsError LIMIT for bad metadata.
 */
export async function readRemoteOperand(
  repository: Repository,
  source: Source,
  name: string,
  base: OstreeChecksum | undefined,
  options: Pick<PullOptions, 'signal' | 'onProgress' | 'onNote'>,
): Promise<{ readonly operand: Operand; readonly cost: FetchCost }> {
  const commit = await source.resolveRef(name, options.signal);
  using index = source.concurrency > 1 ? await openIndex(repository, options) : undefined;
  using references = await References.open([], options);
  const task = { repository, source, ref: undefined, options: { ...options, base }, index, references };
  const opened = await openCommit(task, commit);
  const has = (id: ObjectId, size: number): boolean => objectSize(repository, id) === size;
  const { graph, objects, missing, metadata, estimate } = await planCommit(opened, task, { has });
  const tree = commitTree(graph, (checksum) => objects.get(checksum) ?? notFetched());
  const { delta } = opened;
  return {
    operand: { name: `${source.location} ${name}`, kind: 'commit', commit, tree },
    cost: {
      objects: {
        // The commit itself came with the delta.
        metadata: metadata.fetched + (delta === undefined ? 0 : 1),
        files: missing.length,
        bytes: estimate.complete ? estimate.fetch : undefined,
      },
      delta: delta && { from: delta.superblock.from, bytes: delta.fetch },
    },
  };
}

function notFetched(): StoredObject {
  const header = { uid: 0, gid: 0, mode: S_IFREG, symlinkTarget: '', xattrs: [] };
  return { data: encodeArchiveHeader(header, 0), object: NOT_FETCHED };
}
