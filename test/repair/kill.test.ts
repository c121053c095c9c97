/** Repairs that are killed: what they leave is no worse than what they found, and the next one finishes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { commitKnowledge } from '../../src/commit/check.ts';
import { readCommit } from '../../src/commit/stored.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { Repository } from '../../src/repository/repository.ts';
import { objectPath } from '../../src/verity/object-id.ts';
import { HandmadeCommits } from '../pull/handmade-commit.ts';
import { pull, visible } from '../pull/support.ts';
import { freshPath, freshRepository } from '../repository/support.ts';

const kills = Math.ceil(Number(process.env['FUZZ_KILLS'] ?? 100) / 10);
const cfs = join(import.meta.dirname, '../../cfs');

async function problemsOf(path: string): Promise<number> {
  using repository = await Repository.open(path);
  return (await checkRepository(repository, { streams: commitKnowledge(repository) })).problems.length;
}

test('a repair that is killed leaves a repository that is no worse, and the next one finishes', async (context) => {
  using source = new HandmadeCommits();
  const files = Array.from(
    { length: 600 },
    (_, i) => [`f${i + 1000}`, source.file(Buffer.alloc(100 + 37 * i, `${i} `))] as const,
  );
  const wanted = source.commitOf(source.dirTree(files));
  const pristine = freshRepository();
  const good = await pull(pristine, source.path, wanted);
  const damaged = freshPath();
  cpSync(pristine, damaged, { recursive: true, verbatimSymlinks: true });
  {
    using repository = await Repository.open(pristine);
    const objects = new Set(
      [...readCommit(repository, wanted).content.entries()].flatMap(([, each]) => each.object ?? []),
    );
    for (const [i, id] of [...objects, good.image, good.stream].entries()) {
      const file = join(damaged, 'objects', objectPath(id));
      if (i % 3 === 0) rmSync(file);
      else if (i % 3 === 1) writeFileSync(file, readFileSync(file).fill(1, 50));
    }
  }
  const before = await problemsOf(damaged);
  assert(before > 100);
  let killed = 0;
  for (let run = 0; run < kills; run++) {
    const path = freshPath();
    cpSync(damaged, path, { recursive: true, verbatimSymlinks: true });
    const args = ['--repo', path, 'fsck', '--repair', '--from', source.path];
    const child = spawn(cfs, args, { stdio: 'ignore' });
    const exit = once(child, 'exit');
    while (child.exitCode === null && !existsSync(join(path, 'lost+found'))) await sleep(1);
    await sleep(Math.random() * 250);
    child.kill('SIGKILL');
    if (((await exit) as unknown[])[1] === 'SIGKILL') killed++;
    const left = await problemsOf(path);
    assert(left <= before, `${left} problems after it, ${before} before`);
    const end = spawn(cfs, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    end.stdout.on('data', (data: Buffer) => (output += data.toString()));
    assert.deepEqual(await once(end, 'close'), [0, null], output);
    assert.equal(await problemsOf(path), 0);
    using repository = await Repository.open(path);
    using undamaged = await Repository.open(pristine);
    assert.deepEqual(visible(repository), visible(undamaged));
    assert(readdirSync(join(path, 'lost+found')).length > 0);
    rmSync(path, { recursive: true });
  }
  context.diagnostic(`${killed} of ${kills} were killed`);
  assert(killed > 0, 'no repair was killed before its end');
});
