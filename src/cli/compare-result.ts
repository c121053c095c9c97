/** What `cfs diff` and `cfs ostree diff` say of changes. */
import type { Change } from '../compare/changes.ts';
import type { FieldChange } from '../compare/fields.ts';
import type { ChangeSummary } from '../compare/summary.ts';
import { toUtf8 } from '../tree/byte-string.ts';
import type { Inode } from '../tree/tree.ts';
import { printable, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';

const letters = { modified: 'M', removed: 'D', added: 'A' } as const;

/**
 * Lines as `ostree diff` writes them: modified, removed, added; of a directory that is gone, or was replaced, only itself.
 * @param details below each modified path what of it changed.
 */
export function writeChanges(changes: readonly Change[], details: boolean): void {
  for (const wanted of ['modified', 'removed', 'added'] as const) {
    for (const { kind, path, below, fields } of changes) {
      if (kind !== wanted || below === 'removed' || below === 'replaced') continue;
      writeLine(`${letters[kind]}    ${printable(toUtf8(path))}`);
      if (!details) continue;
      for (const field of fields) writeLine(`         ${fieldText(field)}`);
    }
  }
}

function fieldText({ field, name, before, after }: FieldChange): string {
  const what = name === undefined ? field : `${field} ${name}`;
  return printable(`${what}: ${before ?? '(none)'} -> ${after ?? '(none)'}`);
}

export function writeSummary(summary: ChangeSummary): void {
  const { modified, added, removed, bytesAdded, bytesRemoved } = summary;
  writeLine(`${modified} modified, ${added} added, ${removed} removed`);
  writeLine(`contents: ${formatBytes(bytesAdded)} new, ${formatBytes(bytesRemoved)} gone`);
}

export function changeJson({ path, kind, below, before, after, fields }: Change): unknown {
  return {
    path: toUtf8(path),
    change: kind,
    below,
    before: inodeJson(before),
    after: inodeJson(after),
    fields: kind === 'modified' ? fields : undefined,
  };
}

function inodeJson(inode: Inode | undefined): unknown {
  if (inode === undefined) return undefined;
  const { kind, size, stat } = inode;
  return { type: kind, size: kind === 'file' ? size : undefined, mode: stat.mode, uid: stat.uid, gid: stat.gid };
}

export function summaryJson({ modified, added, removed, bytesAdded, bytesRemoved }: ChangeSummary): unknown {
  return { modified, added, removed, bytes_added: bytesAdded, bytes_removed: bytesRemoved };
}
