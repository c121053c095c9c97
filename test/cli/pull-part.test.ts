/** Pulls in part, of parents, with little room and without pulling, as the command line shows them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseByteSize, parseFreeSpace } from '../../src/cli/byte-size.ts';
import { expected, fixture } from '../pull/support.ts';
import { run, type Run } from './run.ts';

const golden = fixture('ostree-repo');
const sized = fixture('sized-repo');
const os = 'golden/x86_64/os';
const [newest, middle, oldest] = ['3', '2', '1'].map((name) => expected.commits[name]!);

let top: string;
let repo: string;
before(() => {
  top = mkdtempSync(join(tmpdir(), 'cfs-part-'));
  repo = join(top, 'repo');
});
after(() => rmSync(top, { recursive: true }));

const cfs = (...args: readonly string[]): Promise<Run> => run('--repo', repo, '--hash', 'sha256', ...args);

async function json(...args: readonly string[]): Promise<any> {
  const { code, stdout, stderr } = await cfs('--json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

describe('cfs ostree pull-local --dry-run', () => {
  it('says what would be fetched, also where there is no repository, and makes none', async () => {
    const { code, stdout } = await cfs('ostree', 'pull-local', '--dry-run', sized, 'sized');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^commit {2}[0-9a-f]{64}\ntagged {2}sized\nfetch {3}6 metadata \+ 5 files \(13\.3 KiB\) from /,
    );
    assert.match(
      stdout,
      /\nstored {2}0 metadata \+ 0 files\nspace {3}[\d.]+ KiB needed, .* free, of which .* are kept\n$/,
    );
    assert.deepEqual(readdirSync(top), []);
    const { fetch, space, parents, partial } = await json(
      'ostree',
      'pull-local',
      '--dry-run',
      '--depth=-1',
      golden,
      os,
    );
    assert.deepEqual([parents, partial], [[middle, oldest], false]);
    assert(fetch.files > 349 && fetch.bytes === undefined && !space.complete && space.lacking === 0);
    assert.deepEqual(readdirSync(top), []);
  });

  it('counts what reference repositories have, and what is lacking', async () => {
    const options = ['--reference-repo', golden, '--min-free-space', '99T'];
    const plan = await json('ostree', 'pull-local', '--dry-run', ...options, golden, os);
    assert.deepEqual([plan.fetch.files, plan.files_from_reference], [0, 348]);
    assert(plan.space.lacking > 2 ** 40);
    assert.equal(plan.space.reserve, 99 * 2 ** 40);
  });
});

describe('a commit that is pulled in part', () => {
  it('is shown as such', async () => {
    const pulled = await cfs(
      'ostree',
      'pull-local',
      '--subpath=/usr/share',
      '--subpath',
      '/etc',
      '--depth=1',
      golden,
      os,
    );
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.match(
      pulled.stdout,
      new RegExp(`^commit {2}${newest}\nverity .*\nstate   partial\nparent  ${middle}\ntagged  ${os}\n`),
    );
    const images = await cfs('ostree', 'images');
    assert.equal(images.stdout, `NAME${' '.repeat(14)}COMMIT${' '.repeat(60)}STATE\n${os}  ${newest}  partial\n`);
    assert.deepEqual(await json('ostree', 'images'), { commits: [{ name: os, commit: newest, partial: true }] });
    assert.equal((await json('ostree', 'inspect', os)).partial, true);
    assert.match((await cfs('ostree', 'inspect', os)).stdout, /^commit .*\nstate {3}partial\n/);
    assert.equal((await cfs('fsck')).code, 0);
  });

  for (const command of [
    ['dump'],
    ['compute-id'],
    ['create-image'],
    ['mount', '/mnt'],
    ['ls', '/usr/bin'],
    ['cat', '/usr/bin/su'],
  ]) {
    it(`is refused by ${command[0]}`, async () => {
      const [name, ...rest] = command as [string, ...string[]];
      const { code, stdout, stderr } = await cfs('--json', 'ostree', name, os, ...rest);
      assert.deepEqual([code, stdout], [4, '']);
      const { error } = JSON.parse(stderr);
      assert.equal(error.code, 'PARTIAL');
      assert.match(error.message, /pull it again without --subpath/);
    });
  }

  it('shows what is there of it', async () => {
    const { code, stdout } = await cfs('ostree', 'ls', os, '/etc');
    assert.deepEqual([code, stdout.includes('/etc/hostname')], [0, true]);
    assert.equal((await cfs('ostree', 'cat', os, '/etc/hostname')).code, 0);
  });

  it('gives images of its directories, which need a name', async () => {
    const nameless = await cfs('ostree', 'create-image', '--subpath', '/etc', os);
    assert.equal(nameless.code, 2);
    const { image, named, subpath } = await json('ostree', 'create-image', '--subpath', '/etc', os, 'etc');
    assert.deepEqual([named, subpath], ['etc', '/etc']);
    assert.match((await cfs('images')).stdout, new RegExp(image.slice(0, 12)));
    assert.equal((await cfs('fsck')).code, 0);
  });

  it('is completed by the next pull, and the column goes', async () => {
    const { partial, image, tagged, parents } = await json('ostree', 'pull-local', golden, os);
    assert.deepEqual([partial, tagged, parents], [false, os, []]);
    assert.match(image, /^[0-9a-f]{64}$/);
    assert.equal((await cfs('ostree', 'images')).stdout.split('\n')[0], `NAME${' '.repeat(14)}COMMIT`);
    const again = await json('ostree', 'pull-local', '--commit-metadata-only', golden, os);
    assert.deepEqual([again.partial, again.image], [false, image]);
  });
});

it('a pull for which there is no room ends with an exit code of its own', async () => {
  const { code, stderr } = await cfs('--json', 'ostree', 'pull-local', '--min-free-space', '99T', sized, 'sized');
  assert.equal(code, 7);
  const { error } = JSON.parse(stderr);
  assert.deepEqual([error.code, error.reserve], ['NO_SPACE', 99 * 2 ** 40]);
  assert(error.needed > 29_896 && error.free > 0 && error.lacking > 0);
});

it('parseFreeSpace() takes sizes and percentages', () => {
  assert.deepEqual(['0', '500K', '1.5MiB', '2g', '3%', '0.5%'].map(parseFreeSpace), [
    { bytes: 0 },
    { bytes: 512_000 },
    { bytes: 1_572_864 },
    { bytes: 2 ** 31 },
    { percent: 3 },
    { percent: 0.5 },
  ]);
  for (const text of ['', '-1', '5X', '100%', '1e3', '999999999999T']) {
    assert.throws(() => parseFreeSpace(text), { code: 'USAGE' });
  }
  assert.equal(parseByteSize('1B'), undefined);
});

for (const [option, value] of [
  ['--depth', '-2'],
  ['--depth', 'all'],
  ['--subpath', 'usr'],
  ['--subpath', '/usr/..'],
] as const) {
  it(`${option} ${value} is a mistake of usage`, async () => {
    const { code, stderr } = await cfs('ostree', 'pull-local', `${option}=${value}`, golden, os);
    assert.equal(code, 2, stderr);
  });
}
