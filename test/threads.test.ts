/** Workers that share tasks. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { runTasks } from '../src/threads.ts';
import type { Task } from './threads-worker.ts';

const file = new URL('./threads-worker.ts', import.meta.url);

function run(threads: number, tasks: readonly Task[], signal?: AbortSignal): { sums: number[]; end: Promise<void> } {
  const sums: number[] = [];
  const collect = (sum: number): void => void (sum > 0 && sums.push(sum));
  return { sums, end: runTasks({ file, data: 1000, threads, tasks, collect, signal }) };
}

for (const threads of [1, 3]) {
  test(`runTasks() has every task done once by ${threads} workers, and collects all that they emit`, async () => {
    const tasks = Array.from({ length: 50 }, (_, add) => ({ add }));
    const { sums, end } = run(threads, tasks);
    await end;
    assert.deepEqual(
      sums.toSorted((a, b) => a - b),
      tasks.map(({ add }) => 1000 + add),
    );
  });

  test(`runTasks() with ${threads} workers throws what a task throws, though others never end`, async () => {
    const tasks = [...Array.from({ length: threads - 1 }, () => 'hang' as const), 'fail' as const];
    await assert.rejects(run(threads, tasks).end, { name: 'RangeError', message: 'a task that fails' });
  });
}

test('runTasks() without tasks does nothing', async () => {
  await run(3, []).end;
});

test('runTasks() says that a worker has died', async () => {
  await assert.rejects(run(2, ['exit', 'hang']).end, { code: 'SYSTEM', message: 'A worker thread ended with code 7' });
});

test('runTasks() ends with the reason of its signal, whatever workers do, and no longer listens to it', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const { end } = run(2, ['hang', 'hang'], controller.signal);
  controller.abort(reason);
  await assert.rejects(end, reason);
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  await assert.rejects(run(2, [{ add: 1 }], controller.signal).end, reason);
});
