/** Exports that are killed, and exports that meet the locks of others. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalRepository } from '../../ostree/local/create-repository.ts';
import { tryOfdLock } from '../../src/linux/ofd-lock.ts';
import { needs } from '../needs.ts';
import { makeRepositories, ostree, repositoryNeeds, type Repositories } from '../ostree/real-ostree.ts';
import { pull } from '../pull/support.ts';
import { freshRepository } from '../repository/support.ts';
import { exportTo } from './export-to.ts';
import { freshFolder, fsck } from './support.ts';

const kills = Number(process.env['CFS_KILLS'] ?? 12);
const child = join(import.meta.dirname, 'export-child.ts');

describe('an export', { skip: needs(...repositoryNeeds) }, () => {
  let repositories: Repositories;
  const from = freshRepository();
  before(async () => {
    repositories = makeRepositories();
    await pull(from, repositories.archive, 'golden/x86_64/os');
  });
  after(() => repositories[Symbol.dispose]());

  test(`that is killed at ${kills} moments leaves a sound repository, and the next one finishes and cleans up`, async () => {
    for (const mode of ['archive', 'bare-user'] as const) {
      const to = freshFolder();
      createLocalRepository(to, mode);
      for (let i = 0; i < kills / 2; i++) {
        const process = spawn(globalThis.process.execPath, [child, from, 'golden/x86_64/os', to], { stdio: 'ignore' });
        const ended = once(process, 'exit');
        await sleep(80 + 40 * i);
        process.kill('SIGKILL');
        await ended;
        fsck(to);
      }
      await exportTo(from, 'golden/x86_64/os', to, { reference: 'golden/x86_64/os' });
      fsck(to);
      ostree('rev-parse', `--repo=${to}`, 'golden/x86_64/os');
      assert.deepEqual(readdirSync(join(to, 'tmp')), ['cache']);
    }
  });

  test('waits for whoever cleans up the destination, as long as its config says', async () => {
    const to = freshFolder();
    createLocalRepository(to, 'archive');
    appendFileSync(join(to, 'config'), 'lock-timeout-secs=0\n');
    const fd = openSync(join(to, '.lock'), 'w+');
    assert.ok(tryOfdLock(fd, 'exclusive'));
    await assert.rejects(exportTo(from, 'golden/x86_64/os', to), { code: 'LOCKED' });
    ostree('config', `--repo=${to}`, 'set', 'core.lock-timeout-secs', '60');
    const exported = exportTo(from, 'golden/x86_64/os', to);
    await sleep(150);
    closeSync(fd);
    await exported;
    fsck(to);
  });

  test('does without a lock where the destination knows none', async () => {
    const to = freshFolder();
    createLocalRepository(to, 'archive');
    appendFileSync(join(to, 'config'), 'locking=false\n');
    await exportTo(from, 'golden/x86_64/os', to);
    assert.ok(!readdirSync(to).includes('.lock'));
  });

  test('beside others into the same repository is as one', async () => {
    const to = freshFolder();
    createLocalRepository(to, 'bare-user');
    await Promise.all(['a', 'b', 'c'].map((reference) => exportTo(from, 'golden/x86_64/os', to, { reference })));
    fsck(to);
    assert.deepEqual(ostree('refs', `--repo=${to}`).trim().split('\n').toSorted(), ['a', 'b', 'c']);
  });
});
