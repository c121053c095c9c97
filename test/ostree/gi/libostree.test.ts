/** The process in which libostree runs: how it ends, and what is said then. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { OstreeChecksum } from '../../../ostree/checksum.ts';
import { Libostree } from '../../../ostree/gi/libostree.ts';
import { LibostreeSource } from '../../../ostree/gi/source.ts';
import { needs } from '../../needs.ts';
import { goldenObjects } from '../golden.ts';
import { copyGoldenRepository, ostree } from '../real-ostree.ts';

const skip = needs('ostree', 'libostree for Node');

async function assertGone(pid: number): Promise<void> {
  for (let i = 0; i < 100 && isRunning(pid); i++) await wait(100);
  assert(!isRunning(pid), `process ${pid} is still there`);
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

suite('Libostree', { skip }, () => {
  const top = mkdtempSync(join(tmpdir(), 'cfs-libostree-'));
  const path = join(top, 'repo');
  before(() => copyGoldenRepository(path));
  after(() => rmSync(top, { recursive: true }));

  for (const signal of ['SIGKILL', 'SIGABRT'] as const) {
    test(`whose process ends by ${signal} says so, to everybody who waits and who asks later`, async () => {
      using libostree = await Libostree.start();
      await libostree.call('open', { path });
      const { pid } = libostree;
      process.kill(pid, signal);
      const waiting = [libostree.call('refs', {}), libostree.call('count', {})];
      const ended = { code: 'SYSTEM', message: new RegExp(`libostree was ended by ${signal} during 'refs'`) };
      for (const each of waiting) await assert.rejects(each, ended);
      await assert.rejects(libostree.call('refs', {}), ended);
    });
  }

  test('passes on the last words of its process when GLib aborts it', async () => {
    process.env['G_DEBUG'] = 'fatal-criticals';
    try {
      using libostree = await Libostree.start();
      await libostree.call('open', { path });
      // A file has no variant, which GLib finds critical.
      await assert.rejects(libostree.call('variant', { type: 1, checksum: 'ab'.repeat(32) }), {
        code: 'SYSTEM',
        message: /was ended by SIGTRAP during 'variant'; it said: .*CRITICAL.* assertion '.*' failed/s,
      });
    } finally {
      delete process.env['G_DEBUG'];
    }
  });

  test('names what libostree does not find', async () => {
    await assert.rejects(LibostreeSource.open({ path: join(top, 'none') }), {
      code: 'NOT_FOUND',
      message: /^libostree: .*none/,
    });
  });

  test('ends its process when it is closed, whatever that does', async () => {
    const libostree = await Libostree.start();
    const open = libostree.call('open', { path });
    libostree.close();
    await assert.rejects(open, { code: 'SYSTEM', message: /was closed/ });
    await assertGone(libostree.pid);
  });

  test('answers an abort at once with its reason', async () => {
    using libostree = await Libostree.start();
    await libostree.call('open', { path });
    const reason = new Error('enough');
    await assert.rejects(libostree.call('count', {}, { signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const counting = libostree.call('count', {}, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(counting, reason);
    // What was asked is answered to nobody, and what is asked next is answered right.
    assert(Object.hasOwn((await libostree.call('refs', {})).result, 'golden/plain'));
  });

  test('fetches from a remote with what progress there is, and lists remotes and refs', async () => {
    const to = join(top, 'to');
    ostree('init', `--repo=${to}`, '--mode=bare-user');
    ostree('remote', 'add', `--repo=${to}`, '--no-gpg-verify', 'origin', `file://${path}`);
    using libostree = await Libostree.start();
    await libostree.call('open', { path: to });
    assert.deepEqual((await libostree.call('remotes', {})).result, ['origin']);
    const { result } = await libostree.call('remoteRefs', { remote: 'origin' });
    assert(Object.hasOwn(result, 'golden/plain'));
    const scanned: number[] = [];
    const options = "{'refs': <@as ['golden/plain']>}";
    const onProgress = (progress: { scanned: number }): unknown => scanned.push(progress.scanned);
    await libostree.call('pull', { remote: 'origin', options }, { onProgress });
    assert(scanned.at(-1)! > 0);
    assert.equal((await libostree.call('count', {})).result, 44 + 348);
    // It has no signatures, which is what libostree says.
    const commit = (await libostree.call('resolve', { rev: 'origin:golden/plain' })).result;
    await assert.rejects(libostree.call('verify', { remote: 'origin', commit }), { message: /no signatures/ });
  });

  test('hands a large object over as a file, which lies where it is told', async () => {
    using source = await LibostreeSource.open({ path, spool: top });
    const sizes = goldenObjects('file').map(async ({ checksum }) => {
      using file = await source.openFile(checksum);
      return { checksum, size: file.size };
    });
    const { checksum, size } = (await Promise.all(sizes)).sort((a, b) => b.size - a.size)[0]!;
    assert(size > 64 * 1024);
    using file = await source.openFile(checksum);
    assert(file.content.kind === 'file' && !file.content.complete && file.content.fd > 2);
    rmSync(join(path, 'objects'), { recursive: true });
    await assert.rejects(source.openFile('ab'.repeat(32) as OstreeChecksum), { code: 'NOT_FOUND' });
  });
});
