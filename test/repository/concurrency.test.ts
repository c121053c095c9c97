import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { listRefs, removeRef } from '../../src/repository/refs.ts';
import { Repository } from '../../src/repository/repository.ts';
import { freshRepository } from './support.ts';

test('writers in two processes and collections in a third leave every ref whole', { timeout: 120_000 }, async () => {
  const path = freshRepository();
  const script = new URL('./kill-writer.ts', import.meta.url).pathname;
  const writers = ['a', 'b'].map((seed) =>
    spawn(process.execPath, [script, path, seed, '20'], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const exits = writers.map(async (writer) => (await once(writer, 'exit'))[0] as unknown);
  await Promise.all(writers.map((writer) => once(writer.stdout, 'data')));
  let collections = 0;
  const state = { running: true };
  const ended = Promise.all(exits).finally(() => {
    state.running = false;
  });
  while (state.running) {
    using repository = await Repository.open(path);
    const [first] = listRefs(repository, 'streams', 'r');
    if (first !== undefined && collections % 3 === 0) removeRef(repository, 'streams', `r/${first.ref}`);
    await collectGarbage(repository);
    collections++;
    await sleep(10);
  }
  assert.deepEqual(await ended, [0, 0]);
  assert.ok(collections > 0);
  using repository = await Repository.open(path);
  assert.deepEqual((await checkRepository(repository)).problems, []);
  assert.ok(listRefs(repository, 'streams').length > 0);
});
