/**
 * The SQLite database below the object index (object-index.ts), `.cfs-index` in the root of a repository, with SQLite's own `-wal`
 * and `-shm` beside it. Other programs ignore all three.
 *
 * Nothing in it is needed: whatever is damaged, or has not just the tables below, is dropped and made anew. Writes survive the end
 * of the process as soon as they are committed, and a power failure to an earlier, whole state.
 */
import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { CfsError } from '../../bytes/errors.ts';

const FILE = '.cfs-index';
const FILES = [FILE, `${FILE}-wal`, `${FILE}-shm`, `${FILE}-journal`];

/** The version of the tables, in the header of the database. */
const VERSION = 1;

/**
 * `objects`: the records of index-record.ts by the first 48 bits of their names. `recent`: those that came last, in the order in
 * which they came, to be sorted into `objects`; so each batch costs but a few pages. `holders`: the ids of streams, and the rows of
 * `objects` that each keeps, 4 bytes each, little-endian.
 */
const TABLES: readonly string[] = [
  'CREATE TABLE objects (id INTEGER PRIMARY KEY, prefix INTEGER NOT NULL UNIQUE, record BLOB NOT NULL)',
  'CREATE TABLE recent (prefix INTEGER NOT NULL, record BLOB NOT NULL)',
  'CREATE TABLE holders (id TEXT PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID',
];

/** Milliseconds that a call waits for another process that writes. */
const BUSY_TIMEOUT = 500;

/** Pages of the log, 64 MiB, after which it is merged into the database; else that happens when it is closed. */
const LOG_PAGES = 16 * 1024;

/** Kinds of failures, by SQLite's primary result codes. */
const CODES: Readonly<Record<number, DatabaseProblem>> = {
  5: 'busy',
  6: 'busy',
  11: 'damaged',
  13: 'full',
  26: 'damaged',
};

export type DatabaseProblem = 'busy' | 'full' | 'damaged' | 'other';

/** Thrown for a database that is not what it has to be. */
export class DamagedIndex extends CfsError {
  constructor(problem: string) {
    super('CORRUPT', problem);
  }
}

export function problemOf(error: unknown): DatabaseProblem {
  // Node refuses integers that a number cannot hold; none of ours is that large.
  if (error instanceof DamagedIndex || error instanceof RangeError) return 'damaged';
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return CODES[code] ?? 'other';
}

/** True if the repository has an index. @throws CfsError CONFLICT if something else is in its place. */
export function hasIndex(root: string): boolean {
  const stat = lstatSync(join(root, FILE), { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return stat !== undefined;
  throw new CfsError('CONFLICT', `${join(root, FILE)} is no regular file`);
}

/** Removes the index of a repository, if it has one. */
export function removeIndex(root: string): void {
  for (const name of FILES) rmSync(join(root, name), { force: true });
}

/**
 * Opens the database, and makes it first unless it exists. A damaged one is replaced.
 * @throws what SQLite throws; CfsError UNSUPPORTED for one of a later version; CONFLICT if something else is in its place.
 */
export async function openDatabase(root: string): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite');
  hasIndex(root);
  const open = (): DatabaseSync => prepare(new DatabaseSync(join(root, FILE), { timeout: BUSY_TIMEOUT }));
  try {
    return open();
  } catch (error) {
    if (problemOf(error) !== 'damaged') throw error;
    removeIndex(root);
    return open();
  }
}

function prepare(db: DatabaseSync): DatabaseSync {
  try {
    db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > VERSION) {
      throw new CfsError('UNSUPPORTED', `it has format ${version}, of a later version of cfs`);
    }
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
    if (tablesOf(db).length === 0) create(db);
    if (tablesOf(db).join(';') !== [...TABLES].toSorted().join(';')) throw new DamagedIndex('it has other tables');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Everything that is defined in the database: a trigger or view of a stranger is seen here. */
function tablesOf(db: DatabaseSync): string[] {
  const rows = db.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql').all();
  return rows.map(({ sql }) => String(sql));
}

/** Another process may be just as far. */
function create(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  if (tablesOf(db).length === 0) db.exec(`${TABLES.join(';')}; PRAGMA user_version = ${VERSION}`);
  db.exec('COMMIT');
}
