/** The commands about static deltas. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { deltaFolder } from '../../ostree/delta/format.ts';
import { needs } from '../needs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { copyGoldenRepository, ostree } from '../ostree/real-ostree.ts';
import { expected, fixture } from '../pull/support.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { run } from './run.ts';

const [first, second, third] = ['1', '2', '3'].map((name) => expected.commits[name]!) as string[] as [
  string,
  string,
  string,
];
const name = `${first}-${second}`;

async function runJson(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run('--json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('cfs ostree apply-delta', () => {
  test('pulls the commit and gives it a name', async () => {
    const repo = freshRepository();
    const { code, stdout, stderr } = await run(
      '--repo',
      repo,
      'ostree',
      'apply-delta',
      fixture('single.delta'),
      '--reference',
      'a/b',
    );
    assert.equal(code, 0, stderr);
    const image = expected.images['single']!.sha256['v1'];
    assert.match(
      stdout,
      new RegExp(
        `^commit  ${expected.commits['single']}\nverity  .*\nimage   ${image}\ntagged  a/b\nobjects 3 metadata \\+ 1 files applied\n$`,
      ),
    );
  });

  test('goes from one delta to the next', async () => {
    const repo = freshRepository();
    assert.equal((await run('--repo', repo, 'ostree', 'pull-local', goldenPath, first)).code, 0);
    for (const [from, to] of [
      [first, second],
      [second, third],
    ] as const) {
      const folder = join(goldenPath, deltaFolder(from as never, to as never));
      const { image } = await runJson('--repo', repo, 'ostree', 'apply-delta', folder);
      const wanted = expected.mkcomposefs[to === second ? '2' : '3']!['v1']!.fsverity_sha256;
      assert.equal(image, wanted);
    }
  });

  test('refuses what is no delta, and names that mean a commit', async () => {
    const repo = freshRepository();
    const missing = await run('--repo', repo, 'ostree', 'apply-delta', freshPath());
    assert.match(missing.stderr, /There is no static delta at/);
    const named = await run('--repo', repo, 'ostree', 'apply-delta', fixture('single.delta'), '--reference', third);
    // Of another commit, it is just a strange name.
    assert.notEqual(named.code, 0);
  });
});

describe('cfs ostree delta', () => {
  test('lists the deltas of a repository on disk and over HTTP', async (t) => {
    const server = await FaultyServer.start({ files: goldenPath });
    t.after(() => server[Symbol.asyncDispose]());
    const wanted = [name, `${second}-${third}`, third].toSorted();
    for (const place of [goldenPath, server.url]) {
      const { stdout } = await run('ostree', 'delta', 'list', place);
      assert.deepEqual(stdout.trim().split('\n').toSorted(), wanted);
    }
  });

  test('shows what ostree shows', { skip: needs('ostree') }, async () => {
    const copy = freshPath();
    copyGoldenRepository(copy);
    for (const each of [name, third]) {
      const { stdout } = await run('ostree', 'delta', 'show', goldenPath, each);
      const facts = (text: string): string[] =>
        text
          .split('\n')
          .filter((line) =>
            /^(Delta|Signed|From|To:|Endian|Timestamp|Number of (parts|fall)|Part(Meta|Payload))/.test(line),
          );
      assert.deepEqual(facts(stdout), facts(ostree('static-delta', 'show', `--repo=${copy}`, each)));
    }
  });

  test('verifies deltas, with the older commit where that is stored', async () => {
    assert.equal((await runJson('ostree', 'delta', 'verify', goldenPath, third))['objects'], 391);
    const repo = freshRepository();
    const without = await run('--repo', repo, 'ostree', 'delta', 'verify', goldenPath, name);
    assert.match(without.stderr, /Couldn't find file object/);
    await run('--repo', repo, 'ostree', 'pull-local', goldenPath, first);
    assert.equal((await runJson('--repo', repo, 'ostree', 'delta', 'verify', goldenPath, name))['parts'], 1);
  });

  test('asks which, where there are several', async () => {
    const { code, stderr } = await run('ostree', 'delta', 'show', goldenPath);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /Name the delta as FROM-TO or TO/);
  });
});

describe('cfs ostree pull', () => {
  for (const [option, lines] of [
    [undefined, /objects 5 metadata \+ 2 files via 1 delta parts/],
    ['--require-static-deltas', /via 1 delta parts/],
    ['--no-delta', /files fetched/],
    ['--disable-static-deltas', /files fetched/],
  ] as const) {
    test(`${option ?? 'without options'} ${option === undefined ? 'uses' : 'decides on'} deltas`, async (t) => {
      const server = await FaultyServer.start({ files: goldenPath });
      t.after(() => server[Symbol.asyncDispose]());
      const repo = freshRepository();
      await run('--repo', repo, 'ostree', 'pull-local', goldenPath, second);
      const args = option === undefined ? [] : [option];
      const { stdout, stderr } = await run('--repo', repo, 'ostree', 'pull', ...args, server.url, third);
      assert.match(stdout, lines, stderr);
    });
  }

  test('refuses options that contradict each other', async () => {
    const { code, stderr } = await run('ostree', 'pull-local', '--no-delta', '--require-deltas', goldenPath, third);
    assert.equal(code, 2, stderr);
  });
});
