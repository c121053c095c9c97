/** Everything that can be done to a repository at the same time, in one process and in several. CFS_SOAK says for how many seconds. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { commitKnowledge } from '../../src/commit/check.ts';
import { readCommit } from '../../src/commit/stored.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { run as runCfs } from '../cli/run.ts';
import { freshRepository } from '../repository/support.ts';
import { act, KEPT, type Role } from './soak-actor.ts';
import { pull } from './support.ts';

const cfs = join(import.meta.dirname, '../../cfs');
const seconds = Number(process.env['CFS_SOAK'] ?? 5) / 2;
const canMount = needs('root', 'EROFS in the kernel', 'overlay in the kernel', 'loop devices') === false;
const roles: readonly Role[] = ['pull', 'gc', 'tag', 'fsck', 'pull', ...(canMount ? (['mount'] as const) : [])];

async function actInProcess(role: Role, path: string): Promise<number> {
  const args = [join(import.meta.dirname, 'soak-actor.ts'), role, path, String(seconds)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0, `${role} in a process of its own`);
  return Number(output);
}

for (const [where, run] of [
  ['one process', act],
  ['processes of their own', actInProcess],
] as const) {
  test(`pulls, collections, tags, checks and mounts in ${where} do no harm to each other`, async (context) => {
    const path = freshRepository();
    const good = await pull(path, goldenPath, KEPT);
    const counts = await Promise.all(roles.map((role) => run(role, path, seconds)));
    context.diagnostic(roles.map((role, i) => `${role} ${counts[i]}`).join(', '));
    assert(
      counts.every((count) => count > 0),
      'somebody was kept waiting all the time',
    );
    using repository = await Repository.open(path);
    for (let round = 0; round < 2; round++) {
      const { problems } = await checkRepository(repository, { streams: commitKnowledge(repository) });
      assert.deepEqual(problems, []);
      assert.equal(readCommit(repository, good.commit).image, good.image);
      await collectGarbage(repository);
    }
  });
}

test('a collection waits for a transaction of another process, says for whose, and gives up in time', async () => {
  const path = freshRepository();
  const holder = spawn(cfs, ['--repo', path, '--json', 'transaction'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  try {
    await once(holder.stdout, 'data');
    const waited = await runCfs('--repo', path, '--lock-timeout', '0.3', 'gc');
    assert.equal(waited.code, 8, waited.stderr);
    assert.match(waited.stderr, /Waiting for the repository's lock, held by process \d+ \(cfs --repo .*\)/);
    assert.match(waited.stderr, /process \d+ \(cfs .*transaction\) holds the lock, waited 0\.3 s/);
  } finally {
    holder.kill('SIGTERM');
    await ended;
  }
  assert.equal((await runCfs('--repo', path, '--lock-timeout', '5', 'gc')).code, 0);
});
