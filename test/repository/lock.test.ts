import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import type { CfsError } from '../../bytes/errors.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { cfsctl, freshRepository, skipWithoutCfsctl } from './support.ts';

/** Runs `use` while another process has a lock on the path. */
async function whileLocked(
  path: string,
  kind: '-s' | '-x',
  use: (pid: number | undefined) => Promise<void>,
): Promise<void> {
  const child = spawn('flock', [kind, path, 'sh', '-c', 'echo locked; cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  try {
    await use(child.pid);
  } finally {
    child.stdin.end();
    await ended;
  }
}

test('Repository.open() waits for an exclusive lock, then names who has it', async () => {
  const path = freshRepository();
  await whileLocked(path, '-x', async (pid) => {
    const waited: unknown[] = [];
    const onWait = (holders: unknown): number => waited.push(holders);
    await assert.rejects(Repository.open(path, { lockTimeout: 0.1, onWait }), (error: CfsError) => {
      assert.equal(error.code, 'LOCKED');
      assert.equal(error.facts['pid'], pid);
      assert.match(error.message, /flock/);
      return true;
    });
    assert.equal(waited.length, 1);
    await assert.rejects(Repository.open(path, { signal: AbortSignal.timeout(50) }), { code: 'CANCELLED' });
  });
  (await Repository.open(path, { lockTimeout: 0 })).close();
});

test('Repository.open() goes on when the other process ends', async () => {
  const path = freshRepository();
  let opening: Promise<Repository> | undefined;
  await whileLocked(path, '-x', async () => {
    opening = Repository.open(path);
    await sleep(30);
  });
  (await opening)?.close();
});

test('collectGarbage() waits for a shared lock of another process', async () => {
  const path = freshRepository();
  using repository = await Repository.open(path);
  await whileLocked(path, '-s', async () => {
    await assert.rejects(collectGarbage(repository, { lockTimeout: 0.05 }), { code: 'LOCKED' });
    await collectGarbage(repository, { lockTimeout: 0.05, dryRun: true });
  });
  await collectGarbage(repository, { lockTimeout: 0 });
});

test('two handles of one process do not lock each other out, and transactions do lock out collection', async () => {
  const path = freshRepository();
  using first = await Repository.open(path);
  using second = await Repository.open(path);
  await collectGarbage(first, { lockTimeout: 0 });
  const transaction = await second.begin();
  await assert.rejects(collectGarbage(first, { lockTimeout: 0.05 }), { code: 'LOCKED', message: /this process/ });
  const collecting = collectGarbage(first);
  let began = false;
  const next = second.begin().then((each) => {
    began = true;
    return each;
  });
  await sleep(30);
  assert.equal(began, false);
  await transaction.commit();
  await collecting;
  await (await next).commit();
});

test('Repository.exclusive() keeps other processes out, and its end lets them in', async () => {
  const path = freshRepository();
  using repository = await Repository.open(path);
  const release = await repository.exclusive();
  using other = await Repository.open(path);
  await assert.rejects(other.hold({ lockTimeout: 0 }), { code: 'LOCKED' });
  const child = spawn('flock', ['-n', '-s', path, 'true']);
  assert.deepEqual((await once(child, 'exit'))[0], 1);
  release();
  release();
  (await other.hold({ lockTimeout: 0 }))();
  assert.deepEqual((await once(spawn('flock', ['-n', '-s', path, 'true']), 'exit'))[0], 0);
  assert.deepEqual((await once(spawn('flock', ['-n', '-x', path, 'true']), 'exit'))[0], 1);
});

test('an open handle keeps cfsctl gc waiting, a closed one does not', { skip: skipWithoutCfsctl }, async () => {
  const path = freshRepository();
  const repository = await Repository.open(path);
  const child = spawn(cfsctl ?? '', ['--repo', path, 'gc']);
  let ended = false;
  const exit = once(child, 'exit').then(([code]: unknown[]) => {
    ended = true;
    return code;
  });
  await sleep(150);
  assert.equal(ended, false);
  repository.close();
  assert.equal(await exit, 0);
});

test('a closed Repository gives no more locks', async () => {
  const repository = await Repository.open(freshRepository());
  repository.close();
  repository.close();
  await assert.rejects(repository.hold(), /closed/);
});

test('Repository.exclusive() waits for a hold that was asked for in the same moment', async () => {
  using repository = await Repository.open(freshRepository());
  const holding = repository.hold();
  await assert.rejects(repository.exclusive({ lockTimeout: 0.05 }), { code: 'LOCKED' });
  (await holding)();
  (await repository.exclusive({ lockTimeout: 0.05 }))();
});

test('Repository.close() ends what still waits for a lock', async () => {
  const path = freshRepository();
  await whileLocked(path, '-s', async () => {
    const repository = await Repository.open(path);
    const waiting = repository.exclusive();
    repository.close();
    await assert.rejects(waiting, { code: 'CANCELLED' });
  });
  const repository = await Repository.open(path);
  const release = await repository.exclusive();
  repository.close();
  release();
});
