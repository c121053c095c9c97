/** The object index: what it remembers, and that nothing that happens to its file is an error. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { IndexedObject } from '../../src/repository/index-record.ts';
import { pruneIndex } from '../../src/repository/index-prune.ts';
import { ObjectIndex } from '../../src/repository/object-index.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { freshRepository } from './support.ts';

const hex = (bytes = 32): string => randomBytes(bytes).toString('hex');

function entries(count: number): Map<string, IndexedObject> {
  return new Map(
    Array.from({ length: count }, (_, i) => [
      hex(),
      { data: randomBytes(20 + i), object: i % 2 === 0 ? undefined : (hex() as ObjectId) },
    ]),
  );
}

async function open(path: string, notes?: string[]): Promise<ObjectIndex | undefined> {
  return ObjectIndex.open({ path, algorithm: 'sha256', secure: false }, (text) => notes?.push(text));
}

async function known(path: string, all: ReadonlyMap<string, IndexedObject>): Promise<number> {
  using index = await open(path);
  let count = 0;
  for (const [name, entry] of all) {
    const found = index?.get(name);
    if (found === undefined) continue;
    assert.deepEqual({ ...found, data: Buffer.from(found.data) }, entry);
    count++;
  }
  return count;
}

/** An index with two streams that share half of their objects, and objects of an unfinished pull. */
async function filled(): Promise<{
  readonly path: string;
  readonly file: string;
  readonly streams: readonly [ObjectId, ObjectId];
  readonly parts: readonly Map<string, IndexedObject>[];
}> {
  const path = freshRepository();
  const parts = [entries(40), entries(40), entries(40), entries(40)] as const;
  const streams = [hex() as ObjectId, hex() as ObjectId] as const;
  using index = (await open(path))!;
  index.hold(streams[0], new Map([...parts[0], ...parts[1]]));
  index.hold(streams[1], new Map([...parts[1], ...parts[2]]));
  for (const [name, entry] of parts[3]) index.add(name, entry);
  return { path, file: join(path, '.cfs-index'), streams, parts };
}

const counts = (path: string, parts: readonly Map<string, IndexedObject>[]): Promise<number[]> =>
  Promise.all(parts.map((part) => known(path, part)));

describe('ObjectIndex', () => {
  test('remembers streams and unfinished pulls', async () => {
    const { path, parts, streams } = await filled();
    assert.deepEqual(await counts(path, parts), [40, 40, 40, 40]);
    using index = (await open(path))!;
    assert.deepEqual(index.holders(), new Set(streams));
    assert.equal(index.get(hex()), undefined);
  });

  test('keeps what was entered though the process ends without closing it', async () => {
    const path = freshRepository();
    const part = entries(50);
    const index = (await open(path))!;
    for (const [name, entry] of part) index.add(name, entry);
    index.flush();
    const copy = freshRepository();
    for (const name of readdirSync(path).filter((each) => each.startsWith('.cfs-index') && !each.endsWith('-shm')))
      copyFileSync(join(path, name), join(copy, name));
    index.close();
    assert.equal(await known(copy, part), 50);
  });

  test('replaces an entry by a newer one', async () => {
    const path = freshRepository();
    const [[name, first] = ['', undefined]] = entries(1);
    const second = { data: Buffer.from('newer'), object: undefined };
    for (const entry of [first!, second]) {
      using index = (await open(path))!;
      index.add(name, entry);
    }
    assert.equal(await known(path, new Map([[name, second]])), 1);
  });

  test('holds one of two names that begin alike', async () => {
    const path = freshRepository();
    const alike = hex(6);
    const part = new Map([...entries(2).values()].map((entry) => [alike + hex(26), entry]));
    const notes: string[] = [];
    {
      using index = (await open(path, notes))!;
      index.hold(hex() as ObjectId, part);
    }
    assert.deepEqual([await known(path, part), notes], [1, []]);
  });

  test('is shared by several that are open', async () => {
    const path = freshRepository();
    const [a, b] = [entries(100), entries(100)];
    {
      using first = (await open(path))!;
      using second = (await open(path))!;
      for (const [name, entry] of a) first.add(name, entry);
      first.flush();
      for (const [name, entry] of b) second.add(name, entry);
      second.hold(hex() as ObjectId, b);
      first.hold(hex() as ObjectId, a);
    }
    assert.deepEqual(await counts(path, [a, b]), [100, 100]);
  });

  test('waits with what it cannot write while another process writes', async () => {
    const path = freshRepository();
    const part = entries(10);
    {
      using index = (await open(path))!;
      using other = new DatabaseSync(join(path, '.cfs-index'));
      other.exec('BEGIN IMMEDIATE');
      for (const [name, entry] of part) index.add(name, entry);
      index.flush();
      other.exec('COMMIT');
    }
    assert.equal(await known(path, part), 10);
  });

  test('is not there, with a note, where something else is in its place or a later version made it', async () => {
    const spoil: Readonly<Record<string, (file: string) => void>> = {
      'a folder': (file) => mkdirSync(file),
      'a symlink': (file) => symlinkSync('/etc/passwd', file),
      'a later version': (file) => {
        using db = new DatabaseSync(file);
        db.exec('PRAGMA user_version = 1000');
      },
    };
    for (const [what, make] of Object.entries(spoil)) {
      const path = freshRepository();
      make(join(path, '.cfs-index'));
      const notes: string[] = [];
      assert.equal(await open(path, notes), undefined, what);
      assert.match(notes.join(), /object index of .* is not used/, what);
      assert.equal((await pruneIndex(path, new Set())).length, 1, what);
    }
  });

  test('begins anew in place of a file that is no index, or has tables or triggers of a stranger', async () => {
    const spoil: Readonly<Record<string, (file: string) => void>> = {
      'no database': (file) => writeFileSync(file, 'this is no database at all'.repeat(100)),
      'an empty file': (file) => writeFileSync(file, ''),
      'half of it': (file) => truncateSync(file, readFileSync(file).length >> 1),
      'another table': (file) => {
        using db = new DatabaseSync(file);
        db.exec('CREATE TABLE other (a)');
      },
      'a trigger': (file) => {
        using db = new DatabaseSync(file);
        db.exec('CREATE TRIGGER t AFTER INSERT ON recent BEGIN DELETE FROM objects; END');
      },
      'a row with a number for bytes': (file) => {
        using db = new DatabaseSync(file);
        db.exec('UPDATE objects SET record = 5');
      },
    };
    for (const [what, damage] of Object.entries(spoil)) {
      const { path, file, parts } = await filled();
      damage(file);
      await counts(path, parts);
      const part = entries(5);
      {
        using index = (await open(path))!;
        for (const [name, entry] of part) index.add(name, entry);
      }
      assert.equal(await known(path, part), 5, what);
    }
  });

  test('gives what was entered, or nothing, whatever happens to its bytes', async () => {
    const { file, parts, streams } = await filled();
    const good = readFileSync(file);
    const path = freshRepository();
    const target = join(path, '.cfs-index');
    const change = fc.record({ at: fc.nat(good.length - 1), bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        for (const name of readdirSync(path).filter((each) => each.startsWith('.cfs-index'))) rmSync(join(path, name));
        const bad = Buffer.from(good);
        for (const { at, bytes } of changes) bad.set(bytes.subarray(0, bad.length - at), at);
        writeFileSync(target, bad);
        await counts(path, parts);
        const warnings = await pruneIndex(path, new Set(streams));
        assert(warnings.every((text) => text.startsWith('The object index was not pruned')));
        const part = entries(2);
        const notes: string[] = [];
        {
          using index = await open(path, notes);
          index?.hold(hex() as ObjectId, part);
        }
        if (notes.length === 0) await known(path, part);
      }),
      { numRuns: Math.ceil(fuzzRuns / 20) },
    );
  });
});

describe('pruneIndex()', () => {
  test('leaves what streams hold that are left', async () => {
    const { path, parts, streams } = await filled();
    assert.deepEqual(await pruneIndex(path, new Set([streams[1], hex()])), []);
    assert.deepEqual(await counts(path, parts), [0, 40, 40, 0]);
    using index = (await open(path))!;
    assert.deepEqual(index.holders(), new Set([streams[1]]));
  });

  test('makes no index where there is none', async () => {
    const path = freshRepository();
    assert.deepEqual(await pruneIndex(path, new Set()), []);
    assert.deepEqual(readdirSync(path), ['meta.json']);
  });

  test('drops one whose rows have numbers of a stranger', async () => {
    const { path, file, streams } = await filled();
    {
      using db = new DatabaseSync(file);
      db.exec(`INSERT INTO objects (id, prefix, record) VALUES (${2n ** 62n}, 5, x'00')`);
    }
    assert.deepEqual(await pruneIndex(path, new Set(streams)), []);
    assert.deepEqual(readdirSync(path), ['meta.json']);
  });
});
