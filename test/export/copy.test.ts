/** Copies of the golden commits between composefs repositories. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCommit } from '../../src/commit/stored.ts';
import { copyCommit, type CopyOptions, type CopyResult } from '../../src/export/copy.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { objectFile } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { HashAlgorithm } from '../../src/verity/object-id.ts';
import { run } from '../cli/run.ts';
import { assertClean, expected, fixture, objectNames, pull, visible } from '../pull/support.ts';
import { freshRepository } from '../repository/support.ts';

const source = fixture('ostree-repo');
const refs = ['golden/x86_64/os', 'golden/plain', 'golden/single', 'golden/empty'] as const;
const disk = mkdtempSync(join(tmpdir(), 'cfs-copy-'));
after(() => rmSync(disk, { recursive: true, force: true }));

async function copy(from: string, to: string, name: string, options?: CopyOptions): Promise<CopyResult> {
  using a = await Repository.open(from);
  using b = await Repository.open(to);
  return await copyCommit(a, b, name, options);
}

/** The path of an object that a commit's files need. */
async function largeObject(path: string, ref: string): Promise<string> {
  using repository = await Repository.open(path);
  const { content } = readCommit(repository, expected.commits[ref.replace('golden/', '')]!);
  const [, { object }] = Array.from(content.entries()).find(([, each]) => each.object !== undefined)!;
  return objectFile(repository, object!);
}

describe('copyCommit()', () => {
  const pulled = { sha256: freshRepository('sha256'), sha512: freshRepository('sha512') };
  before(async () => {
    for (const path of Object.values(pulled)) for (const ref of refs) await pull(path, source, ref);
  });

  for (const [from, to] of [
    ['sha256', 'sha256'],
    ['sha512', 'sha512'],
    ['sha256', 'sha512'],
    ['sha512', 'sha256'],
  ] as const satisfies readonly (readonly [HashAlgorithm, HashAlgorithm])[]) {
    test(`from ${from} to ${to} gives what pulls would, and survives garbage collection`, async () => {
      const path = freshRepository(to);
      for (const ref of refs) await copy(pulled[from], path, ref);
      using repository = await Repository.open(path);
      using wanted = await Repository.open(pulled[to]);
      assert.deepEqual(visible(repository), visible(wanted));
      await collectGarbage(repository);
      await assertClean(repository);
      assert.deepEqual(objectNames(path), objectNames(pulled[to]));
    });
  }

  test('copies only what is missing, and tells by which way', async () => {
    const path = freshRepository();
    const first = await copy(pulled.sha256, path, 'golden/plain');
    assert.ok(first.objects.hardlinked + first.objects.reflinked > 200, JSON.stringify(first.objects));
    const again = await copy(pulled.sha256, path, 'golden/plain', { name: 'other' });
    assert.deepEqual([again.objects.present > 200, again.bytes, again.ref], [true, 0, 'other']);
    const next = await copy(pulled.sha256, path, 'golden/x86_64/os');
    assert.ok(next.objects.present > 200 && next.bytes > 0, JSON.stringify(next.objects));
  });

  test('to another file system or hash makes files of their own', async () => {
    for (const [algorithm, path] of [
      ['sha256', join(disk, 'other')],
      ['sha512', freshRepository('sha512')],
    ] as const) {
      Repository.init(path, { algorithm, insecure: true, ensure: true });
      const from = await largeObject(pulled.sha256, 'golden/plain');
      const links = statSync(from).nlink;
      const { objects } = await copy(pulled.sha256, path, 'golden/plain');
      const moved = objects.reflinked + objects.copied + objects['copied in kernel'];
      if (statSync(path).dev !== statSync(pulled.sha256).dev || algorithm === 'sha512') {
        assert.deepEqual([objects.hardlinked, moved > 200, statSync(from).nlink], [0, true, links]);
      }
    }
  });

  test('takes commits by the beginning of their id, which get no ref', async () => {
    const path = freshRepository();
    const { commit, ref } = await copy(pulled.sha256, path, expected.commits['single']!.slice(0, 8));
    assert.deepEqual([commit, ref], [expected.commits['single'], undefined]);
    await assert.rejects(copy(pulled.sha256, path, 'nothing'), { code: 'NOT_FOUND' });
    await assert.rejects(copy(path, path, commit), { code: 'USAGE' });
  });

  for (const to of ['sha256', 'sha512'] as const) {
    test(`to ${to} refuses damaged, short and missing objects, and makes nothing visible`, async () => {
      const damaged = freshRepository();
      await pull(damaged, source, 'golden/plain');
      const file = await largeObject(damaged, 'golden/plain');
      const good = readFileSync(file);
      for (const [content, code] of [
        [Buffer.from(good).fill(0xff, 10, 11), 'CHECKSUM'],
        [good.subarray(1), 'CORRUPT'],
        [undefined, 'NOT_FOUND'],
      ] as const) {
        rmSync(file, { force: true });
        if (content !== undefined) writeFileSync(file, content);
        const path = freshRepository(to);
        await assert.rejects(copy(damaged, path, 'golden/plain'), { code });
        using repository = await Repository.open(path);
        assert.deepEqual(visible(repository), { streams: [], images: [], refs: [[], []] });
        await assertClean(repository);
      }
    });
  }

  test('replaces a damaged object of the destination, and leaves the source alone', async () => {
    const path = freshRepository();
    await copy(pulled.sha256, path, 'golden/plain');
    const file = await largeObject(path, 'golden/plain');
    const good = readFileSync(file);
    rmSync(file);
    writeFileSync(file, good.subarray(1));
    linkSync(file, `${file}.kept`);
    await copy(pulled.sha256, path, 'golden/plain');
    assert.deepEqual(readFileSync(file), good);
    rmSync(`${file}.kept`);
    for (const each of [path, pulled.sha256]) {
      using repository = await Repository.open(each);
      await assertClean(repository);
    }
  });

  test('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(copy(pulled.sha256, freshRepository(), 'golden/plain', { signal: controller.signal }));
  });

  test('that is killed leaves a sound repository, and the next one finishes', async () => {
    const path = freshRepository('sha512');
    const cfs = join(import.meta.dirname, '../../cfs');
    for (let i = 0; i < 6; i++) {
      const args = ['--repo', path, 'copy', 'golden/x86_64/os', '--from', pulled.sha256];
      const child = spawn(cfs, args, { stdio: 'ignore' });
      const ended = once(child, 'exit');
      await sleep(60 + 50 * i);
      child.kill('SIGKILL');
      await ended;
      using repository = await Repository.open(path);
      await assertClean(repository);
    }
    await copy(pulled.sha256, path, 'golden/x86_64/os');
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  test('is cfs copy, in both directions', async () => {
    const path = freshRepository();
    const there = await run('--repo', pulled.sha256, 'copy', 'golden/single', '--to', path);
    assert.equal(there.code, 0, there.stderr);
    assert.match(
      there.stdout,
      /^commit {2}[0-9a-f]{64}\nverity {2}[0-9a-f]{64}\nimage {3}[0-9a-f]{64}\ntagged {2}golden\/single\nobjects \d+ \w+.*; [\d.]+ \w+\n$/,
    );
    const back = await run('--json', '--repo', path, 'copy', 'golden/plain', '--from', pulled.sha256, '--name', 'p');
    const json = JSON.parse(back.stdout) as { commit: string; tagged: string; objects: Record<string, number> };
    assert.deepEqual([json.commit, json.tagged], [expected.commits['plain'], 'p']);
    assert.deepEqual(Object.keys(json.objects), ['reflinked', 'hardlinked', 'copied_in_kernel', 'copied', 'present']);
    for (const args of [[], ['--from', path, '--to', path]]) {
      assert.equal((await run('--repo', pulled.sha256, 'copy', 'golden/plain', ...args)).code, 2);
    }
  });
});
