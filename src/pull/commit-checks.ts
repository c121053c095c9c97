/** What a commit has to be, beyond having the right checksum, before its tree is read. */
import { verifyBinding, verifyNotOlder, type DatedCommit } from '../../ostree/binding.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import type { Source } from '../../ostree/source.ts';
import { commitOfRef, findCommit, readCommit, resolveCommit } from '../commit/stored.ts';
import type { Repository } from '../repository/repository.ts';

export interface CommitChecks {
  /** False: take a commit that is bound to other refs or another collection. */
  readonly bindings?: boolean | undefined;
  /** The collection that commits of the remote must be bound to. */
  readonly collectionId?: string | undefined;
  /** Refuse a commit that is older than the one that the ref points to here. */
  readonly notOlder?: boolean | undefined;
  /** Refuse a commit that is older than this stored one, a ref or an id. */
  readonly notOlderThan?: string | undefined;
}

export interface PulledAs {
  readonly repository: Repository;
  readonly source: Pick<Source, 'describe'>;
  /** Undefined if it is pulled by its id. */
  readonly ref: string | undefined;
}

/**
 * Checks the object of a commit that is about to be pulled.
 * @throws CfsError CONFLICT in the words of libostree; NotFoundError for an unknown `notOlderThan`.
 */
export function verifyCommit(
  { repository, source, ref }: PulledAs,
  checksum: OstreeChecksum,
  object: Uint8Array,
  checks: CommitChecks,
): void {
  const { metadata, timestamp } = decodeCommit(object, checksum);
  if (checks.bindings !== false) {
    const bound = ref === undefined || source.describe().kind === 'http' ? ref : withoutPlace(ref);
    verifyBinding(checksum, metadata, { ref: bound, collectionId: checks.collectionId });
  }
  const target = { checksum, timestamp };
  if (checks.notOlderThan !== undefined) {
    verifyNotOlder(dated(repository, resolveCommit(repository, checks.notOlderThan)), target);
  }
  if (checks.notOlder !== true || ref === undefined) return;
  const current = commitOfRef(repository, ref);
  if (current !== undefined && findCommit(repository, current) !== undefined) {
    verifyNotOlder(dated(repository, current), target);
  }
}

/** `origin:os`, `heads/os`, `remotes/origin/os` and `mirrors/COLLECTION/os` of a local repository are all bound to `os`; a server knows no places. */
function withoutPlace(ref: string): string {
  return ref.replace(/^.*:/, '').replace(/^(?:heads|(?:remotes|mirrors)\/[^/]+)\//, '');
}

function dated(repository: Repository, checksum: OstreeChecksum): DatedCommit {
  const object = readCommit(repository, checksum).content.get(checksum)?.data ?? new Uint8Array();
  verifyMetadataObject('commit', checksum, object);
  return { checksum, timestamp: decodeCommit(object, checksum).timestamp };
}
