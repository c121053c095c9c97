/** What garbage collection does to the object index: entries that no stream holds any more go. */
import type { DatabaseSync } from 'node:sqlite';
import { DamagedIndex, hasIndex, openDatabase, problemOf, removeIndex } from './index-database.ts';

/** Ids of rows beyond which the index is made anew rather than marked through: 32 MiB of marks. */
const MAX_ID = 2 ** 28;

const ROW_BATCH = 10_000;

/**
 * Leaves what `streams` hold. Only under the exclusive lock: pulls that did not end are forgotten.
 * @param streams ids of those that are left.
 * @returns warnings.
 */
export async function pruneIndex(root: string, streams: ReadonlySet<unknown>): Promise<readonly string[]> {
  try {
    if (!hasIndex(root)) return [];
    const db = await openDatabase(root);
    try {
      db.exec('BEGIN IMMEDIATE');
      prune(db, streams);
      db.exec('COMMIT');
    } finally {
      db.close();
    }
    return [];
  } catch (error) {
    if (problemOf(error) !== 'damaged') return [`The object index was not pruned: ${(error as Error).message}`];
    removeIndex(root);
    return [];
  }
}

function prune(db: DatabaseSync, streams: ReadonlySet<unknown>): void {
  db.exec('DELETE FROM recent');
  const last = Number(db.prepare('SELECT max(id) AS last FROM objects').get()?.['last'] ?? 0);
  if (last > MAX_ID) throw new DamagedIndex(`its last row is ${last}`);
  const marks = new Uint8Array(Math.ceil((last + 1) / 8));
  const drop = db.prepare('DELETE FROM holders WHERE id = ?');
  const rowsOf = db.prepare('SELECT rows FROM holders WHERE id = ?');
  for (const { id } of db.prepare('SELECT id FROM holders').all()) {
    if (streams.has(id)) mark(marks, rowsOf.get(id!)?.['rows']);
    else drop.run(id!);
  }
  const remove = db.prepare('DELETE FROM objects WHERE id = ?');
  for (const id of unmarked(db, marks)) remove.run(id);
}

function mark(marks: Uint8Array, rows: unknown): void {
  if (!(rows instanceof Uint8Array)) throw new DamagedIndex('the rows of a stream are no bytes');
  const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
  for (let at = 0; at + 4 <= rows.length; at += 4) {
    const id = view.getUint32(at, true);
    if (id >>> 3 < marks.length) marks[id >>> 3]! |= 1 << (id & 7);
  }
}

/** Read in batches, as rows must not be deleted while a statement walks over them. */
function* unmarked(db: DatabaseSync, marks: Uint8Array): Generator<number> {
  const ids = db.prepare(`SELECT id FROM objects WHERE id > ? ORDER BY id LIMIT ${ROW_BATCH}`);
  for (let last = -1; ;) {
    const rows = ids.all(last);
    if (rows.length === 0) return;
    last = Number(rows.at(-1)!['id']);
    for (const row of rows) {
      const id = Number(row['id']);
      if ((marks[id >>> 3]! & (1 << (id & 7))) === 0) yield id;
    }
  }
}
