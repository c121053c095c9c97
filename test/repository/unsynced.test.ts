import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { objectFile, readObject } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { listMarks } from '../../src/repository/unsynced.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { freshRepository } from './support.ts';

const content = Buffer.from('some content');
const id = verityDigest('sha256', content);

function marks(path: string): string[] {
  return readdirSync(path).filter((name) => name.startsWith('.cfs-unsynced-'));
}

function alterMarks(path: string, facts: object): void {
  for (const name of marks(path)) {
    const mark = JSON.parse(readFileSync(join(path, name), 'utf8')) as object;
    writeFileSync(join(path, name), JSON.stringify({ ...mark, ...facts }));
  }
}

/** Turns all marks into ones of an earlier boot. */
function reboot(path: string): void {
  alterMarks(path, { boot: 'earlier' });
}

async function unfinished(fsync: 'barrier' | 'none' = 'barrier'): Promise<Repository> {
  const repository = await Repository.open(freshRepository());
  using transaction = await repository.begin({ fsync });
  transaction.storeBytes(content);
  return repository;
}

test('a transaction puts up a mark, and commit() takes it away', async () => {
  using repository = await Repository.open(freshRepository());
  const transaction = await repository.begin();
  assert.deepEqual(
    listMarks(repository.path).map(({ state }) => state),
    ['alive'],
  );
  assert.equal(transaction.writerOptions.suspect, false);
  await transaction.commit();
  assert.deepEqual(marks(repository.path), []);
});

test('the mark of an unfinished transaction stays until the next commit() of this boot', async () => {
  using repository = await unfinished();
  assert.deepEqual(
    listMarks(repository.path).map(({ state }) => state),
    ['dead'],
  );
  const transaction = await repository.begin();
  assert.equal(transaction.writerOptions.suspect, false);
  await transaction.commit();
  assert.deepEqual(marks(repository.path), []);
});

test('the mark of a writer in another pid namespace survives the commit() of others', async () => {
  using repository = await unfinished();
  alterMarks(repository.path, { pids: 'pid:[1]' });
  assert.deepEqual(
    listMarks(repository.path).map(({ state }) => state),
    ['alive'],
  );
  await (await repository.begin()).commit();
  assert.equal(marks(repository.path).length, 1);
});

test('a mark of another boot lets the next transaction replace a bad object, and stays', async () => {
  using repository = await unfinished();
  reboot(repository.path);
  writeFileSync(objectFile(repository, id), Buffer.alloc(content.length));
  const transaction = await repository.begin();
  assert.equal(transaction.writerOptions.suspect, true);
  assert.equal(transaction.writer.has(id, content.length), false);
  transaction.storeBytes(content);
  await transaction.commit();
  assert.deepEqual(readObject(repository, id), content);
  assert.equal(marks(repository.path).length, 1);
});

test('checkRepository() settles marks of another boot only if all objects are good', async () => {
  using repository = await unfinished();
  reboot(repository.path);
  writeFileSync(objectFile(repository, id), Buffer.alloc(content.length));
  assert.equal((await checkRepository(repository)).objectsCorrupted, 1);
  assert.equal(marks(repository.path).length, 1);
  writeFileSync(objectFile(repository, id), content);
  await checkRepository(repository, { metadataOnly: true });
  assert.equal(marks(repository.path).length, 1);
  await checkRepository(repository);
  assert.deepEqual(marks(repository.path), []);
});

test('collectGarbage() settles marks of another boot, but not those of transactions without syncing', async () => {
  for (const [fsync, left] of [
    ['barrier', 0],
    ['none', 1],
  ] as const) {
    using repository = await unfinished(fsync);
    reboot(repository.path);
    await collectGarbage(repository);
    assert.equal(marks(repository.path).length, left, fsync);
  }
});

test('a mark that cannot be read counts as of another boot', async () => {
  using repository = await Repository.open(freshRepository());
  for (const [i, text] of ['', 'null', '[]', '{"boot":1}'].entries()) {
    writeFileSync(join(repository.path, `.cfs-unsynced-${i}`), text);
  }
  assert.deepEqual(
    listMarks(repository.path).map(({ state }) => state),
    ['foreign', 'foreign', 'foreign', 'foreign'],
  );
});
