/** `cfs ostree diff` beside the real one, and `cfs diff`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verityDigest } from '../../src/verity/digest.ts';
import { needs } from '../needs.ts';
import { copyGoldenRepository, ostree } from '../ostree/real-ostree.ts';
import { expected, fixture } from '../pull/support.ts';
import { run } from './run.ts';

const [one = '', two = '', three = ''] = ['1', '2', '3'].map((name) => expected.commits[name]);

describe('ostree diff', { skip: needs('ostree', 'root') }, () => {
  const top = mkdtempSync(join(tmpdir(), 'cfs-diff-'));
  const [repo, golden, made] = ['repo', 'golden', 'made'].map((name) => join(top, name)) as [string, string, string];
  const cfs = (...args: readonly string[]) => run('--repo', repo, ...args);
  const server = createServer((request, response) => {
    try {
      response.end(readFileSync(join(golden, request.url!)));
    } catch {
      response.writeHead(404).end();
    }
  });
  let url = '';

  before(async () => {
    copyGoldenRepository(golden);
    // No names that could be the beginning of a commit's id.
    const [a, b] = [join(top, 'old'), join(top, 'new')] as const;
    for (const folder of ['d/x', 'k', 'gone/sub', 'to-file']) mkdirSync(join(a, folder), { recursive: true });
    for (const name of ['d/f', 'z', 'a', 'k/q', 'gone/sub/g', 'to-directory']) writeFileSync(join(a, name), name);
    symlinkSync('t', join(a, 'link'));
    cpSync(a, b, { recursive: true, verbatimSymlinks: true });
    for (const name of ['gone', 'to-file', 'to-directory', 'link', 'z']) rmSync(join(b, name), { recursive: true });
    for (const folder of ['new/deep', 'to-directory']) mkdirSync(join(b, folder), { recursive: true });
    for (const name of ['to-file', 'to-directory/in', 'd/f', 'new/deep/n', 'new/a', 'aa'])
      writeFileSync(join(b, name), 'new');
    symlinkSync('u', join(b, 'link'));
    chmodSync(join(b, 'd'), 0o700);
    chmodSync(join(b, 'k/q'), 0o600);
    ostree('init', `--repo=${made}`, '--mode=archive');
    for (const name of ['old', 'new'])
      ostree('commit', `--repo=${made}`, `--branch=${name}`, `--tree=dir=${join(top, name)}`);
    for (const name of ['old', 'new']) await cfs('ostree', 'pull-local', made, name);
    for (const commit of [one, three]) await cfs('ostree', 'pull-local', golden, commit);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    rmSync(top, { recursive: true, force: true });
  });

  for (const [repository, a, b] of [
    ['golden', one, three],
    ['golden', three, one],
    ['golden', one, one],
    ['made', 'old', 'new'],
    ['made', 'new', 'old'],
  ] as const) {
    it(`of ${a.slice(0, 8)} and ${b.slice(0, 8)} is what ostree says`, async () => {
      const at = repository === 'golden' ? golden : made;
      const { stdout, status } = spawnSync('ostree', [`--repo=${at}`, 'diff', a, b], { encoding: 'utf8' });
      assert.equal(status, 0);
      assert.equal((await cfs('ostree', 'diff', a, b)).stdout, stdout);
    });
  }

  it('--details says what of each path changed', async () => {
    const { stdout } = await cfs('ostree', 'diff', '--details', 'old', 'new');
    assert.match(stdout, /^M {4}\/link\n {9}target: t -> u\n/m);
    assert.match(stdout, /^M {4}\/k\/q\n {9}mode: 0644 -> 0600\n/m);
    assert.match(stdout, /^M {4}\/d\n {9}mode: 0755 -> 0700\n/m);
  });

  it('--stat counts', async () => {
    const { stdout } = await cfs('ostree', 'diff', '--stat', 'old', 'new');
    assert.equal(stdout, '6 modified, 6 added, 4 removed\ncontents: 18 B new, 26 B gone\n');
  });

  it('--json has each change', async () => {
    const { changes, stat } = JSON.parse((await cfs('--json', 'ostree', 'diff', 'old', 'new')).stdout);
    assert.deepEqual(
      changes.find(({ path }: { path: string }) => path === '/k/q'),
      {
        path: '/k/q',
        change: 'modified',
        before: { type: 'file', size: 3, mode: 0o644, uid: 0, gid: 0 },
        after: { type: 'file', size: 3, mode: 0o600, uid: 0, gid: 0 },
        fields: [{ field: 'mode', before: '0644', after: '0600' }],
      },
    );
    assert.equal(stat.modified, 6);
  });

  it('--remote compares with a commit that was not pulled, and says what a pull would fetch', async () => {
    const [other = [], third = []] = ['other', 'third'].map((name) => ['--json', '--repo', join(top, name), 'ostree']);
    for (const each of [other, third]) await run(...each, 'pull-local', golden, one);
    const { stdout, stderr, code } = await run(...other, 'diff', '--remote', url, one, two);
    assert.equal(code, 0, stderr);
    const { changes, fetch } = JSON.parse(stdout);
    const real = ostree('diff', `--repo=${golden}`, one, two).trim().split('\n');
    assert.equal(changes.length, real.length);
    const pulled = JSON.parse((await run(...third, 'pull', '--no-delta', '--base-name', one, url, two)).stdout);
    assert.deepEqual([fetch.objects.metadata, fetch.objects.files], [pulled.metadata_fetched, pulled.files_fetched]);
  });
});

describe('diff', () => {
  const cfs = (...args: readonly string[]) => run('--no-repo', ...args);
  const image = (name: string): string => fixture(`images/${name}.erofs`);
  const top = mkdtempSync(join(tmpdir(), 'cfs-diff-'));
  after(() => rmSync(top, { recursive: true, force: true }));

  it('tells images of other formats from other trees', async () => {
    const { stdout, code } = await cfs('diff', '--exit-code', image('plain.v1'), image('plain.v2'));
    assert.equal(code, 0);
    assert.match(stdout, /^The trees are the same\n.*format version 1, .*\n.*format version 2, /);
  });

  it('finds no difference between an image and the dump of its commit', async () => {
    const { stdout } = await cfs('diff', image('plain.v1'), fixture('dumps/plain.dump'));
    assert.match(stdout, /^The trees are the same\n/);
  });

  it('tells of each field that differs, and ends with 1 if asked', async () => {
    const { stdout, code } = await cfs('diff', '--exit-code', fixture('dumps/1.dump'), image('2.v1'));
    assert.equal(code, 1);
    assert.match(stdout, /^M {4}\/usr\/lib\/os-release\n(?: {9}.*\n)* {9}content: [0-9a-f]{64} -> [0-9a-f]{64}\n/m);
    assert.match(stdout, /\d+ modified, \d+ added, \d+ removed\n/);
  });

  it('compares directories with what was made of them', async () => {
    const tree = join(top, 'tree');
    mkdirSync(join(tree, 'd'), { recursive: true });
    writeFileSync(join(tree, 'd/large'), 'x'.repeat(5000));
    const dump = join(top, 'tree.dump');
    const lines = (content: string) =>
      `/ 0 40755 3 0 0 0 0.0 - - -\n/d 0 40755 2 0 0 0 0.0 - - -\n/d/large 5000 100644 1 0 0 0 0.0 xx - ${content}\n`;
    writeFileSync(dump, lines(verityDigest('sha512', Buffer.from('x'.repeat(5000)))));
    assert.doesNotMatch((await cfs('diff', dump, tree)).stdout, / content: /);
    writeFileSync(dump, lines('0'.repeat(128)));
    assert.match((await cfs('diff', dump, tree)).stdout, /^M {4}\/d\/large\n(?: {9}.*\n)* {9}content: 0{128} -> /m);
  });

  it('says where an image is not what its tree gives', async () => {
    const bytes = readFileSync(image('plain.v1'));
    // The superblock's volume name, which no reader looks at.
    bytes[1024 + 64] = 65;
    const changed = join(top, 'changed.erofs');
    writeFileSync(changed, bytes);
    const { stdout } = await cfs('diff', image('plain.v1'), changed);
    assert.match(stdout, /changed\.erofs: image .*\n {2}it is not the image .*: they differ from byte 1088 on\n/);
    unlinkSync(changed);
  });

  for (const [args, code, message] of [
    [[join(top, 'nowhere'), top], 3, /no file or directory .*nowhere/],
    [['no-image', 'x'], 2, /needs a repository/],
    [[import.meta.filename, top], 4, /Invalid composefs dump: line 1/],
  ] as const) {
    it(`of ${args.join(' ')} ends with ${code}`, async () => {
      const result = await cfs('diff', ...args);
      assert.equal(result.code, code);
      assert.match(result.stderr, message);
    });
  }
});
