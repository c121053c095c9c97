/**
 * Whether a commit is what was asked for: its ref and collection bindings, signed with it, say where it belongs; and it should not be
 * older than what it replaces. Without these checks a server could give out any commit that was ever signed under any ref.
 */
import { CfsError } from '../bytes/errors.ts';
import type { Decoded } from '../gvariant/src/value.ts';
import type { OstreeChecksum } from './checksum.ts';
import { metadataValue, type Metadata } from './metadata.ts';

export interface BindingRequest {
  /** The ref that the commit was asked for by; undefined if by its checksum. */
  readonly ref?: string | undefined;
  /** The collection ID of the remote; with it a commit must have both bindings. */
  readonly collectionId?: string | undefined;
}

/**
 * Throws a `CfsError` CONFLICT, in the words of libostree, unless the commit is bound to the ref and the collection. Without
 * `collectionId` a commit without bindings passes. A binding of a wrong type is an error, not a missing one.
 */
export function verifyBinding(checksum: OstreeChecksum, metadata: Metadata, request: BindingRequest): void {
  const { ref, collectionId } = request;
  const fail = (problem: string): CfsError =>
    new CfsError('CONFLICT', `Commit ${checksum}: ${problem}`, { checksum, ref, collectionId });
  const refs = binding(metadata, 'ostree.ref-binding', 'as', fail);
  if (refs === undefined) {
    if (collectionId !== undefined) throw fail('Expected commit metadata to have ref binding information, found none');
  } else if (ref !== undefined) {
    const bound = [...refs];
    if (!bound.includes(ref)) {
      const list = bound.length === 0 ? 'no refs' : bound.map((name) => `‘${name}’`).join(', ');
      throw fail(`Commit has no requested ref ‘${ref}’ in ref binding metadata (${list})`);
    }
  }
  if (collectionId === undefined) return;
  const bound = binding(metadata, 'ostree.collection-binding', 's', fail);
  if (bound === undefined) {
    throw fail('Expected commit metadata to have collection ID binding information, found none');
  }
  if (bound !== collectionId) {
    throw fail(
      `Commit has collection ID ‘${bound}’ in collection binding metadata, ` +
        `while the remote it came from has collection ID ‘${collectionId}’`,
    );
  }
}

function binding<const Text extends string>(
  metadata: Metadata,
  key: string,
  type: Text,
  fail: (problem: string) => CfsError,
): Decoded<Text> | undefined {
  const entry = metadata.find(([name]) => name === key);
  if (entry !== undefined && entry[1].type !== type) {
    throw fail(`Commit metadata ${key} has type ${entry[1].type} instead of ${type}`);
  }
  return metadataValue(metadata, key, type);
}

/** A commit and its time, in seconds since the epoch. */
export interface DatedCommit {
  readonly checksum: OstreeChecksum;
  readonly timestamp: bigint;
}

/** Throws a `CfsError` CONFLICT if `target` is older than `current`; equal times pass. */
export function verifyNotOlder(current: DatedCommit, target: DatedCommit): void {
  if (target.timestamp >= current.timestamp) return;
  throw new CfsError(
    'CONFLICT',
    `Upgrade target revision '${target.checksum}' with timestamp '${formatTime(target.timestamp)}' is chronologically ` +
      `older than current revision '${current.checksum}' with timestamp '${formatTime(current.timestamp)}'; ` +
      'pull without the check of timestamps to permit it',
    { target: target.checksum, current: current.checksum },
  );
}

/** `Tue Jan  2 03:04:05 2018`, in UTC; the bare number where no calendar reaches. */
function formatTime(timestamp: bigint): string {
  const date = new Date(Number(timestamp) * 1000);
  if (Number.isNaN(date.getTime())) return `@${timestamp}`;
  const [weekday = '', day = '', month = '', year, time] = date.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}
