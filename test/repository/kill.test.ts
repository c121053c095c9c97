import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { listRefs } from '../../src/repository/refs.ts';
import { Repository } from '../../src/repository/repository.ts';
import { listStreams } from '../../src/repository/streams.ts';
import { freshRepository } from './support.ts';

const ROUNDS = 20;

test('a writer that is killed at any moment leaves a repository without errors', { timeout: 120_000 }, async () => {
  const path = freshRepository();
  const script = new URL('./kill-writer.ts', import.meta.url).pathname;
  let streams = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [script, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    await sleep(Math.random() * 60);
    child.kill('SIGKILL');
    assert.equal((await exit)[1], 'SIGKILL');
    using repository = await Repository.open(path, { lockTimeout: 5 });
    const report = await checkRepository(repository);
    assert.deepEqual(report.problems, []);
    const targets = listRefs(repository, 'streams').map(({ target }) => target);
    assert.ok(targets.length >= streams, 'a ref vanished');
    streams = targets.length;
    if (round % 5 === 4) {
      await collectGarbage(repository);
      assert.deepEqual(new Set(listStreams(repository).map(({ name }) => name)), new Set(targets));
      assert.deepEqual((await checkRepository(repository)).problems, []);
    }
  }
  assert.ok(streams > 0);
});
