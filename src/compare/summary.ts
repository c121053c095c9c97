/** Numbers about changes, and about what an update needs. */
import type { Change } from './changes.ts';
import type { Inode } from '../tree/tree.ts';

export interface ChangeSummary {
  readonly modified: number;
  readonly removed: number;
  readonly added: number;
  /** Bytes of the contents of files that are there before and not after, or have another content after; and the other way round. */
  readonly bytesRemoved: number;
  readonly bytesAdded: number;
}

/** A file with several names counts once for each. */
export function summarizeChanges(changes: readonly Change[]): ChangeSummary {
  const counts = { modified: 0, removed: 0, added: 0 };
  let bytesRemoved = 0;
  let bytesAdded = 0;
  for (const { kind, before, after, fields } of changes) {
    counts[kind]++;
    if (kind === 'modified' && !fields.some(({ field }) => CONTENT_FIELDS.has(field))) continue;
    bytesRemoved += contentSize(before);
    bytesAdded += contentSize(after);
  }
  return { ...counts, bytesRemoved, bytesAdded };
}

const CONTENT_FIELDS: ReadonlySet<string> = new Set(['object', 'type', 'size', 'content']);

function contentSize(inode: Inode | undefined): number {
  return inode?.kind === 'file' ? inode.size : 0;
}
