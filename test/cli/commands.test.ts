import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { unmount } from '../../src/linux/old-mount.ts';
import { commands } from '../../src/cli/commands.ts';
import { needs } from '../needs.ts';
import { run } from './run.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');
const source = join(fixtures, 'ostree-repo');
const expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));
const { plain, single } = expected.commits;
const image = expected.images.plain.sha256.v1;

const top = mkdtempSync(join(tmpdir(), 'cfs-cli-'));
const repo = join(top, 'repo');
const cfs = (...args: readonly string[]) => run('--repo', repo, ...args);

before(async () => {
  await run('--repo', repo, '--hash', 'sha256', 'ostree', 'pull-local', source, 'golden/plain');
  await cfs('ostree', 'pull-local', source, 'golden/single');
  await cfs('ostree', 'create-image', 'golden/plain', 'os/plain');
});
after(() => rmSync(top, { recursive: true, force: true }));

const plainDump = readFileSync(join(fixtures, 'dumps/plain.dump'), 'latin1');
const plainObjects = [...new Set(plainDump.match(/(?<= )[0-9a-f]{64}(?=\n| )/g))]
  .sort()
  .map((id) => `sha256:${id}\n`)
  .join('');

interface Row {
  readonly args: readonly string[];
  readonly code?: number;
  readonly stdout?: string | RegExp;
  readonly stderr?: string | RegExp;
}

const matches = (actual: string, wanted: string | RegExp | undefined): void => {
  if (typeof wanted === 'string') assert.equal(actual, wanted);
  else if (wanted !== undefined) assert.match(actual, wanted);
};

/** In this order: some rows build on those before. */
const rows: readonly Row[] = [
  {
    args: ['ostree', 'pull-local', source, 'golden/plain'],
    stdout: new RegExp(
      `^commit  ${plain}\nverity  [0-9a-f]{64}\nimage   ${image}\ntagged  golden/plain\nobjects 0 metadata \\+ 0 files fetched\n$`,
    ),
    stderr: /^nothing to fetch; 348 reused from stored commits; /,
  },
  {
    args: ['-q', 'ostree', 'pull-local', source, plain.slice(0, 12)],
    stdout: /^commit .*\nverity .*\nimage .*\nobjects /,
    stderr: '',
  },
  { args: ['--json', 'ostree', 'pull-local', source, 'golden/single'], stdout: new RegExp(`"commit": "${single}"`) },
  { args: ['ostree', 'pull-local', source, 'no/such'], code: 3, stderr: /no\/such/ },
  { args: ['ostree', 'pull-local', join(top, 'nowhere'), 'x'], code: 3, stderr: /nowhere/ },
  { args: ['ostree', 'pull-local', source], code: 2, stderr: /missing required argument 'ref'/ },
  {
    args: ['ostree', 'pull-local', '--base-name', 'no/such', source, 'golden/plain'],
    code: 3,
    stderr: /Base 'no\/such'/,
  },
  {
    args: ['ostree', 'images'],
    // What was pulled by its id is kept by it.
    stdout: new RegExp(`^NAME +COMMIT\n${plain}  ${plain}\ngolden/plain +${plain}\ngolden/single +${single}\n$`),
  },
  { args: ['ostree', 'images', '--json'], stdout: new RegExp(`"name": "golden/plain",\\s+"commit": "${plain}"`) },
  {
    args: ['ostree', 'inspect', 'golden/plain'],
    stdout: new RegExp(`^commit  ${plain}\n(parent  .*\n)?date    \\d{4}-`),
  },
  {
    args: ['ostree', 'inspect', '--metadata', plain.slice(0, 8)],
    stdout: 'ostree.ref-binding=[golden/plain]\nostree.collection-binding=org.example.Golden\n',
  },
  { args: ['ostree', 'inspect', 'golden/plain', '--json'], stdout: new RegExp(`"image": "${image}"`) },
  { args: ['ostree', 'inspect', 'zzz'], code: 3, stderr: /'zzz' is not a known ostree ref or valid commit ID/ },
  { args: ['ostree', 'dump', 'golden/plain'], stdout: plainDump },
  {
    args: ['ostree', 'dump', single.slice(0, 20)],
    stdout: readFileSync(join(fixtures, 'dumps/single.dump'), 'latin1'),
  },
  { args: ['ostree', 'compute-id', 'golden/plain'], stdout: `${image}\n` },
  { args: ['--erofs-version', '2', 'ostree', 'compute-id', plain], stdout: `${expected.images.plain.sha256.v2}\n` },
  { args: ['ostree', 'compute-id', 'golden/plain', '--json', '--erofs-version', '0'], stdout: /"erofs_version": 0/ },
  { args: ['ostree', 'tag', plain, 'a%b/c'], stdout: `Tagged ${plain} as a%b/c\n` },
  { args: ['ostree', 'inspect', 'a%b/c'], stdout: new RegExp(`^commit  ${plain}`) },
  { args: ['ostree', 'untag', 'a%b/c'], stdout: '' },
  { args: ['ostree', 'untag', 'a%b/c'], code: 3, stderr: /no commit named 'a%b\/c'/ },
  { args: ['ostree', 'tag', 'zzz', 'x'], code: 3 },
  {
    args: ['ostree', 'create-image', 'golden/plain', 'again'],
    stdout: new RegExp(`\nimage   ${image}\nnamed   again\n$`),
  },
  { args: ['images'], stdout: `NAME      DIGEST\nagain     ${image.slice(0, 12)}\nos/plain  ${image.slice(0, 12)}\n` },
  { args: ['list-images', '--no-trunc'], stdout: new RegExp(`os/plain +${image}\n`) },
  {
    args: ['images', '--json'],
    stdout: `${JSON.stringify(
      { images: ['again', 'os/plain'].map((name) => ({ name, digest: image })) },
      undefined,
      2,
    )}\n`,
  },
  { args: ['image-objects', 'refs/os/plain'], stdout: plainObjects },
  { args: ['image-objects', image, '--json'], stdout: /"objects": \[/ },
  {
    args: ['dump-files', 'refs/os/plain', '/etc'],
    stdout: '/etc 0 40755 2 0 0 0 0.0 - - -\n/etc/hostname 7 100644 1 0 0 0 0.0 - golden\\n -\n',
  },
  {
    args: ['dump-files', '--backing-path-only', 'again', '/etc/hostname', '/usr/bin/su'],
    stdout: /^\/etc\/hostname inline\n\/usr\/bin\/su [0-9a-f]{2}\/[0-9a-f]{62}\n$/,
  },
  { args: ['dump-files', '--backing-path-only', 'again', '/usr'], code: 2, stderr: /\/usr is a directory/ },
  { args: ['dump-files', 'again', '/no/such'], code: 3, stderr: /no \/no\/such/ },
  { args: ['dump-files', 'again'], code: 2, stderr: /missing required argument/ },
  { args: ['cat', `ostree-commit-${plain}`, '--json'], stdout: /"content_type": "0xafe138c18c463ef1"/ },
  { args: ['cat', 'ostree-commit-zzz'], code: 3, stderr: /ostree-commit-zzz is missing/ },
  { args: ['mount', 'zzz', top], code: 3, stderr: /Image zzz is missing/ },
  { args: ['mount', 'again', join(top, 'nowhere')], code: 3, stderr: /mount point .*nowhere does not exist/ },
  {
    args: ['fsck'],
    stdout: /^meta\.json: ok\nobjects: (\d+)\/\1 ok\nstreams: 2\/2 ok\nimages: 2\/2 ok\nstatus: ok\n$/,
  },
  {
    args: ['fsck', '--metadata-only', '--json'],
    stdout: /^\{\n {2}"ok": true,\n {2}"has_metadata": true,\n {2}"objects_checked": 0,/,
  },
  { args: ['gc', '-n'], stdout: /^Dry run \(no files deleted\):\nObjects: 0 removed \(0 bytes\)\n$/ },
  { args: ['gc', '--json'], stdout: /"objects_removed": 0/ },
  { args: ['gc', '-r', 'nothing'], code: 3, stderr: /nothing/ },
  { args: ['--require-verity', 'images'], code: 1, stderr: /insecure/ },
  { args: ['--hash', 'sha512', 'images'], code: 1, stderr: /uses sha256, not sha512/ },
  { args: ['--user', 'images'], code: 2, stderr: /exclude each other/ },
  { args: ['--erofs-version', '3', 'images'], code: 2, stderr: /Allowed choices are 0, 1, 2/ },
  { args: ['nonsense'], code: 2, stderr: /unknown command 'nonsense'/ },
  { args: ['ostree', 'pul-local'], code: 2, stderr: /Did you mean pull-local/ },
  { args: ['images', '--nonsense'], code: 2, stderr: /unknown option '--nonsense'/ },
];

describe('cfs', () => {
  for (const { args, code = 0, stdout, stderr } of rows) {
    it(`${args.join(' ').replaceAll(fixtures, 'fixtures').replaceAll(top, 'TOP')} exits ${code}`, async () => {
      const result = await cfs(...args);
      assert.equal(result.code, code, result.stderr);
      matches(result.stdout, stdout);
      matches(result.stderr, stderr);
      if (code !== 0) assert.equal(result.stdout, '');
    });
  }

  it('--no-repo refuses commands that need a repository', async () => {
    const result = await run('--no-repo', 'images');
    assert.equal(result.code, 2);
  });

  it('fsck names damage, exits 1 as text and 0 with --json', async () => {
    const damaged = join(top, 'damaged');
    await run('--repo', damaged, '--hash', 'sha256', 'ostree', 'pull-local', source, 'golden/plain');
    const { stdout: listed } = await run('--repo', damaged, 'fsck');
    assert.match(listed, /status: ok/);
    const { stdout: path } = await run('--repo', damaged, 'ostree', 'dump', 'golden/plain', '--json');
    const [object] = /[0-9a-f]{2}\/[0-9a-f]{62}/.exec(path)!;
    writeFileSync(join(damaged, 'objects', object), 'damage');
    const text = await run('--repo', damaged, 'fsck');
    assert.equal(text.code, 1);
    assert.match(
      text.stdout,
      new RegExp(`status: \\d error\\(s\\)\n.*- fsck: object-digest-mismatch: objects/${object}`),
    );
    const json = await run('--repo', damaged, 'fsck', '--json');
    assert.equal(json.code, 0);
    assert.equal(JSON.parse(json.stdout).ok, false);
    assert.match(text.stderr, /cfs fsck --repair --from URL/);
    assert.equal((await run('--repo', damaged, 'fsck', '--from', source)).code, 2);
    const partial = await run('--repo', damaged, 'fsck', '--repair');
    assert.match(partial.stdout, new RegExp(`Found 2 problem.*${object}.*partial now.*lost: file object`, 's'));
    assert.match(partial.stdout, /Copies .*lost\+found.*partial commits: 1\nstatus: ok\n$/s);
    assert.equal(partial.code, 0);
    writeFileSync(join(damaged, 'streams/refs/ostree/dangling'), '');
    const repaired = await run('--repo', damaged, '--json', 'fsck', '--repair', '--from', source);
    assert.deepEqual([repaired.code, JSON.parse(repaired.stdout).ok], [1, false]);
    rmSync(join(damaged, 'streams/refs/ostree/dangling'));
    await run('--repo', damaged, 'ostree', 'pull-local', source, 'golden/plain');
    writeFileSync(join(damaged, 'objects', object), 'damage');
    const mended = await run('--repo', damaged, '--json', 'fsck', '--repair', '--from', source);
    assert.equal(mended.code, 0, mended.stderr);
    assert.deepEqual(JSON.parse(mended.stdout).commits[0].fetched, { [source]: 1 });
    assert.equal((await run('--repo', damaged, 'fsck', '--repair', '--from', 'file:///nowhere')).code, 3);
  });

  it('init says what it made, does nothing the second time, and refuses other settings', async () => {
    const path = join(top, 'fresh');
    const init = ['init', '--insecure', '--algorithm', 'fsverity-sha256-12', path];
    assert.equal(
      (await run(...init)).stdout,
      `Initialized composefs repository at ${path}\n  algorithm: fsverity-sha256-12\n  verity:    not required (insecure)\n`,
    );
    assert.equal((await run(...init)).stdout, `Repository already initialized at ${path}\n`);
    assert.equal((await run('init', '--insecure', path)).code, 1);
    assert.equal(JSON.parse((await run(...init, '--json')).stdout).created, false);
  });

  it('only a pull makes a repository, and says so', async () => {
    const path = join(top, 'made');
    const missing = await run('--repo', path, 'images');
    assert.equal(missing.code, 3);
    assert.match(missing.stderr, /make one with 'cfs init/);
    mkdirSync(path);
    assert.equal((await run('--repo', path, 'fsck')).code, 3);
    const pull = await run('--repo', path, 'ostree', 'pull-local', source, 'golden/empty');
    assert.equal(pull.code, 0);
    assert.match(
      pull.stderr,
      new RegExp(`^Made a composefs repository at ${path} \\(fsverity-sha512-12\\)\nIt is insecure: `),
    );
    symlinkSync('x', join(top, 'occupied'));
    const occupied = join(top, 'full');
    mkdirSync(join(occupied, 'something'), { recursive: true });
    assert.equal((await run('--repo', occupied, 'ostree', 'pull-local', source, 'golden/empty')).code, 3);
  });

  it('errors are JSON with --json', async () => {
    const { stderr } = await cfs('--json', 'ostree', 'inspect', 'zzz');
    const { error } = JSON.parse(stderr);
    assert.equal(error.code, 'NOT_FOUND');
    assert.equal(error.name, 'zzz');
  });

  it('cat gives the merged stream', async () => {
    const { stdout } = await cfs('cat', 'refs/ostree/golden%2Fplain');
    assert.equal(stdout.length, expected.streams.plain.content_size);
  });

  it(
    'mount and ostree mount show the files',
    { skip: needs('root', 'EROFS in the kernel', 'overlay in the kernel') },
    async () => {
      const target = join(top, 'mnt');
      mkdirSync(target);
      for (const args of [
        ['mount', 'refs/os/plain'],
        ['ostree', 'mount', 'golden/plain'],
      ]) {
        const result = await cfs(...args, target);
        assert.equal(result.code, 0, result.stderr);
        try {
          assert.equal(readFileSync(join(target, 'etc/hostname'), 'utf8'), 'golden\n');
          assert.equal(readFileSync(join(target, 'usr/bin/su')).length, 9000);
        } finally {
          unmount(target);
        }
      }
    },
  );
});

describe('every command', () => {
  for (const { words } of commands) {
    it(`${words} --help describes every argument and option`, async () => {
      const { stdout } = await run(...words.split(' '), '--help');
      const [usage = '', ...sections] = stdout.split('\n\n');
      const described = sections.find((section) => section.startsWith('Arguments:')) ?? '';
      const names = usage.replace('[options]', '').match(/[<[][^\]>]+[\]>]/g) ?? [];
      assert.equal(described.match(/^ {2}\w\S* {2,}\S/gm)?.length ?? 0, names.length);
      for (const line of stdout.match(/^ {2}-.*$/gm) ?? []) assert.match(line, / {2}-.*\S {2,}\S/);
    });

    it(`${words} --help has a description and an example that names it`, async () => {
      const { code, stdout } = await run(...words.split(' '), '--help');
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: cfs ${words}.*\n\n[A-Z]`));
      assert.match(stdout, new RegExp(`Examples:\n( .*\n)*  cfs .*${words.split(' ').at(-1)}`));
    });
  }

  it('is listed by cfs --help, which help COMMAND leads to as well', async () => {
    const { stdout } = await run('--help');
    for (const { words } of commands) assert.ok(words.startsWith('ostree ') || stdout.includes(words), words);
    assert.equal((await run('help', 'fsck')).stdout, (await run('fsck', '--help')).stdout);
  });
});
