/**
 * A persistent index of what the repository holds, by the names that another world gives to objects: 64 hex digits, for a commit
 * the OSTree checksum. It makes objects of any stream, and of pulls that did not end, available to the next pull. Holders are the
 * streams that were entered, by their ids; an entry without one is of a pull that did not end.
 *
 * What it answers is a hint: an object may have been collected since, and who can write to the repository can write to the index.
 * It may be deleted at any time, and is not worth an error: where it cannot be used, a note says so, and everything works without.
 *
 * Entries are written when they are complete, before their objects are durable. After a power failure the marks of unsynced.ts
 * make `ObjectWriter.has` hash what an entry leads to.
 */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { hasCode } from '../../bytes/errors.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import { DamagedIndex, openDatabase, problemOf, removeIndex, type DatabaseProblem } from './index-database.ts';
import { decodeRecord, encodeRecord, MAX_RECORD_SIZE, type IndexedObject } from './index-record.ts';
import { TEMPORARY_FILE, temporaryName } from './layout.ts';
import type { ObjectStore } from './objects.ts';

export type OnNote = (text: string) => void;

/** Milliseconds after which a new entry is written. */
const WRITE_INTERVAL = 25;

/** Entries that wait while the database cannot be written to; if there are more they are forgotten. */
const MAX_PENDING = 100_000;

/** Bytes kept free for the entries of objects that were finished just before the file system was full. */
const ROOM = 4 * 1024 * 1024;

const SORT_IN = `INSERT INTO objects (prefix, record) SELECT prefix, record FROM recent WHERE true ORDER BY prefix
  ON CONFLICT (prefix) DO UPDATE SET record = excluded.record WHERE record <> excluded.record`;

/** Gives the row; of two names with the same prefix the first one's stays. */
const INSERT = `INSERT INTO objects (prefix, record) VALUES (?, ?)
  ON CONFLICT (prefix) DO UPDATE SET prefix = excluded.prefix RETURNING id`;

/** Ids of the rows of a list of prefixes, in its order; null for those that are not there. */
const ROWS_OF = `SELECT json_group_array(objects.id) AS rows FROM json_each(?) LEFT JOIN objects ON prefix = value`;

/** The first 48 bits of a name: a number that JavaScript holds exactly. */
function prefixOf(name: string): number {
  return Number.parseInt(name.slice(0, 12), 16);
}

export class ObjectIndex implements Disposable {
  readonly #root: string;
  readonly #algorithm: HashAlgorithm;
  readonly #onNote: OnNote | undefined;
  /** Undefined once it cannot be used. */
  #db: DatabaseSync | undefined;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #append: StatementSync;
  /** Entries to be written. */
  #pending: [name: string, entry: IndexedObject][] = [];
  #timer: NodeJS.Timeout | undefined;
  /** A file without a name that takes up `ROOM`. */
  #room: number | undefined;

  private constructor(
    { path, algorithm }: Pick<ObjectStore, 'path' | 'algorithm'>,
    db: DatabaseSync,
    onNote: OnNote | undefined,
  ) {
    this.#root = path;
    this.#algorithm = algorithm;
    this.#onNote = onNote;
    this.#db = db;
    this.#find = db.prepare(`SELECT record FROM objects WHERE prefix = ? AND length(record) <= ${MAX_RECORD_SIZE}`);
    this.#insert = db.prepare(INSERT);
    this.#append = db.prepare('INSERT INTO recent (prefix, record) VALUES (?, ?)');
    this.#room = reserve(path);
  }

  /** Opens the index of a repository, and makes it first if there is none. Undefined, with a note, where that cannot be. */
  static async open(store: ObjectStore, onNote?: OnNote): Promise<ObjectIndex | undefined> {
    let db: DatabaseSync | undefined;
    try {
      db = await openDatabase(store.path);
      const index = new ObjectIndex(store, db, onNote);
      index.#write(() => index.#sortIn());
      return index;
    } catch (error) {
      db?.close();
      onNote?.(unusable(store.path, error));
      return undefined;
    }
  }

  /** What the index knows of an object. */
  get(name: string): IndexedObject | undefined {
    return this.#attempt((db) => {
      // One transaction for all that is read until something is written saves much time.
      if (!db.isTransaction) db.exec('BEGIN');
      const record = this.#find.get(prefixOf(name))?.['record'];
      if (record === undefined) return undefined;
      const entry = record instanceof Uint8Array ? decodeRecord(record, name, this.#algorithm) : 'damaged';
      if (entry === 'damaged') throw new DamagedIndex(`the entry of ${name} is damaged`);
      return entry;
    }).value;
  }

  /** Enters an object that is complete. It is written with others, soon. */
  add(name: string, entry: IndexedObject): void {
    if (this.#db === undefined) return;
    this.#pending.push([name, entry]);
    this.#timer ??= setTimeout(() => this.flush(), WRITE_INTERVAL).unref();
  }

  /** Writes what was entered, so that it survives this process. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const written = this.#write(() => {
      for (const [name, entry] of this.#pending) this.#append.run(prefixOf(name), encodeRecord(name, entry));
    });
    if (written || this.#pending.length > MAX_PENDING) this.#pending = [];
  }

  /** The streams whose objects are all entered. */
  holders(): Set<string> {
    const { value } = this.#attempt((db) => db.prepare('SELECT id FROM holders').all());
    return new Set(value?.map(({ id }) => String(id)));
  }

  /** Enters a stream with all objects that it holds. */
  hold(stream: ObjectId, objects: { entries(): Iterable<readonly [name: string, entry: IndexedObject]> }): void {
    this.flush();
    this.#write((db) => {
      if (db.prepare('SELECT 1 FROM holders WHERE id = ?').get(stream) !== undefined) return;
      this.#sortIn();
      const all = Array.from(objects.entries());
      const prefixes = all.map(([name]) => prefixOf(name));
      const known = db.prepare(ROWS_OF).get(JSON.stringify(prefixes))!['rows'];
      const rows = (JSON.parse(String(known)) as (number | null)[]).map(
        (row, i) => row ?? Number(this.#insert.get(prefixes[i]!, encodeRecord(...all[i]!))!['id']),
      );
      const ids = new Uint8Array(Uint32Array.from(rows).buffer);
      db.prepare('INSERT INTO holders (id, rows) VALUES (?, ?)').run(stream, ids);
    });
  }

  #sortIn(): void {
    this.#db?.exec(`${SORT_IN}; DELETE FROM recent`);
  }

  /** One transaction; false if it could not be written now, but may be later. */
  #write(action: (db: DatabaseSync) => void): boolean {
    const transact = (db: DatabaseSync): void => {
      if (db.isTransaction) db.exec('COMMIT');
      try {
        db.exec('BEGIN IMMEDIATE');
        action(db);
        db.exec('COMMIT');
      } finally {
        if (db.isTransaction) db.exec('ROLLBACK');
      }
    };
    let result = this.#attempt(transact);
    if (result.problem === 'full' && this.#room !== undefined) {
      this.#giveUpRoom();
      result = this.#attempt(transact);
    }
    return result.problem === undefined;
  }

  /** A database that is busy, or has no space, may work later; with any other failure it is given up. */
  #attempt<T>(action: (db: DatabaseSync) => T): { readonly value?: T; readonly problem?: DatabaseProblem } {
    if (this.#db === undefined) return { problem: 'other' };
    try {
      return { value: action(this.#db) };
    } catch (error) {
      const problem = problemOf(error);
      if (problem === 'busy' || problem === 'full') return { problem };
      this.#onNote?.(unusable(this.#root, error));
      this.#end();
      if (problem === 'damaged') removeIndex(this.#root);
      return { problem };
    }
  }

  #giveUpRoom(): void {
    if (this.#room !== undefined) closeSync(this.#room);
    this.#room = undefined;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#pending = [];
    this.#giveUpRoom();
    const db = this.#db;
    this.#db = undefined;
    db?.close();
  }

  /** Writes what is left, and closes the database. */
  close(): void {
    this.flush();
    this.#end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function unusable(root: string, error: unknown): string {
  return `The object index of ${root} is not used, and objects of earlier pulls may be fetched again: ${(error as Error).message}`;
}

/** Undefined where there is no room any more. */
function reserve(root: string): number | undefined {
  const path = join(root, temporaryName(TEMPORARY_FILE));
  let fd: number | undefined;
  try {
    fd = openSync(path, 'wx', 0o600);
    unlinkSync(path);
    writeSync(fd, Buffer.alloc(ROOM));
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) return undefined;
    throw error;
  }
}
