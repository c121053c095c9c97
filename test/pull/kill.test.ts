/** Pulls that are killed at random moments: what is there is good, and the next pull goes on from it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, objectNames, pull, visible } from './support.ts';

/** Kills in total; FUZZ_KILLS gives another number. */
const kills = Number(process.env['FUZZ_KILLS'] ?? 100);

/** Starts a pull in a process of its own, and kills it after so many milliseconds; false if it ended before. */
async function kill(path: string, from: string, name: string, threads: number, delay: number): Promise<boolean> {
  const args = [join(import.meta.dirname, 'pull-child.ts'), path, from, name, String(threads)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  // Most of the time passes before anything is done: the moment counts from the first sign of work in the repository.
  while (child.exitCode === null && !readdirSync(path).some((entry) => entry.startsWith('.cfs-unsynced-')))
    await sleep(1);
  await sleep(delay);
  child.kill('SIGKILL');
  const [, signal] = (await exit) as [number | null, string | null];
  return signal === 'SIGKILL';
}

interface Case {
  readonly name: string;
  readonly from: () => string;
  readonly commit: () => string;
  /** Milliseconds that a whole pull takes after its start, about. */
  readonly span: number;
  readonly share: number;
}

describe('a pull that is killed', { concurrency: true }, () => {
  let source: HandmadeCommits;
  let commit: string;
  before(() => {
    source = new HandmadeCommits();
    const directories = Array.from({ length: 20 }, (_, d) => {
      const files = Array.from(
        { length: 100 },
        (_, f) => [`f${f + 100}`, source.file(Buffer.alloc(20 + 37 * f, `${d}/${f} `))] as const,
      );
      return [`d${d + 10}`, source.dirTree(files), source.meta] as const;
    });
    commit = source.commitOf(source.dirTree([], directories));
  });
  after(() => source[Symbol.dispose]());

  const cases: readonly Case[] = [
    { name: 'the golden commit', from: () => goldenPath, commit: () => 'golden/x86_64/os', span: 40, share: 0.5 },
    { name: 'a commit of 2000 files', from: () => source.path, commit: () => commit, span: 300, share: 0.5 },
  ];
  for (const { name, from, commit: wanted, span, share } of cases) {
    test(`leaves a good repository, and the next one finishes: ${name}`, async (context) => {
      const whole = await pull(freshRepository(), from(), wanted());
      const runs = Math.ceil(kills * share);
      let path = freshRepository();
      let reused = 0;
      let killed = 0;
      let most = 0;
      for (let run = 0; run < runs; run++) {
        const threads = 1 + (run % 3 === 2 ? 1 : 0);
        if (await kill(path, from(), wanted(), threads, Math.random() * span)) killed++;
        using repository = await Repository.open(path);
        const report = await checkRepository(repository);
        assert.deepEqual(report.problems, [], `run ${run}`);
        // Complete objects survive each further kill.
        const count = objectNames(path).filter((entry) => entry.length > 60).length;
        assert(count >= most, `${count} objects of ${most} are left`);
        most = count;
        if (run % 4 !== 3) continue;
        const result = await pull(path, from(), wanted());
        assert.deepEqual([result.image, result.stream, result.commit], [whole.image, whole.stream, whole.commit]);
        assert.equal(
          result.content.present + result.content.written + result.content.inline + result.filesReused,
          whole.filesFetched,
        );
        // What was there before is not written again.
        assert(result.content.written <= whole.content.written);
        if (result.content.written < whole.content.written) reused++;
        await assertClean(repository);
        await collectGarbage(repository);
        await assertClean(repository);
        assert(
          readdirSync(path).every((entry) => !/^\.(cfs-|symlink-)/.test(entry)),
          readdirSync(path).join(' '),
        );
        assert(visible(repository));
        rmSync(path, { recursive: true });
        path = freshRepository();
        most = 0;
      }
      context.diagnostic(`${killed} of ${runs} were killed, ${reused} times what they had written was used`);
      assert(killed > 0, 'no pull was killed before its end');
      assert(reused > 0, 'no pull found objects of one that was killed');
    });
  }
});
