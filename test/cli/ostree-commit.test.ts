/** Commits made of directories and images, beside those that `ostree commit` makes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setXattr } from '../../src/linux/xattr.ts';
import { Repository } from '../../src/repository/repository.ts';
import { cfsctl, freshRepository, skipWithoutCfsctl } from '../repository/support.ts';
import { needs } from '../needs.ts';
import { ostree } from '../ostree/real-ostree.ts';
import { assertClean, fixture } from '../pull/support.ts';
import { run } from './run.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-commit-'));
after(() => rmSync(base, { recursive: true, force: true }));

/** Runs `cfs`, which must succeed; gives its columns by their first word. */
async function cfs(...args: readonly string[]): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await run(...args);
  assert.equal(code, 0, stderr);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/) as [string, string]),
  );
}

/** A tree with what OSTree can hold: sizes about each limit, owners, modes, attributes, hard links, names of many bytes. */
function makeTree(at: string): void {
  mkdirSync(join(at, 'usr/bin'), { recursive: true });
  mkdirSync(join(at, 'empty'));
  for (const size of [0, 1, 63, 64, 65, 127, 128, 129, 4096, 70_000, 1_500_000]) {
    writeFileSync(join(at, `usr/${size}`), Buffer.alloc(size, `${size} bytes `));
  }
  writeFileSync(join(at, 'usr/copy'), Buffer.alloc(129, '129 bytes '));
  const shell = [
    'ln usr/4096 usr/hard',
    'chown 7:9 usr/65; chown -h 3:4 usr/bin',
    'chmod 4755 usr/70000; chmod 0 usr/129; chmod 1777 empty; chmod 600 usr/1',
    'ln -s ../usr/1 usr/bin/link; ln -s /nowhere/ünd usr/bin/dangling; chown -h 5:6 usr/bin/dangling',
  ];
  execFileSync('sh', ['-ec', shell.join('\n')], { cwd: at });
  for (const name of ['añb', 'with space', 'new\nline', '\u{1f600}', '￿', 'x'.repeat(255)])
    writeFileSync(join(at, name), name);
  for (const [path, name, value] of [
    ['usr/65', 'user.z', 'last'],
    ['usr/65', 'user.a', 'first'],
    ['usr/65', 'trusted.overlay.opaque', 'y'],
    ['usr/65', 'user.empty', ''],
    ['usr/0', 'security.selinux', 'system_u:object_r:usr_t:s0\0'],
    ['usr/bin', 'user.directory', 'yes'],
    ['usr/bin/link', 'trusted.link', 'l'],
    ['.', 'user.root', 'r'],
  ] as const) {
    setXattr(join(at, path), name, Buffer.from(value));
  }
}

describe('cfs ostree commit', { skip: needs('ostree', 'root', 'xz') }, () => {
  const tree = join(base, 'tree');
  const real = join(base, 'real');
  before(() => {
    mkdirSync(tree);
    makeTree(tree);
    ostree('init', `--repo=${real}`, '--mode=bare-user');
  });

  const cases: readonly (readonly [name: string, ours: readonly string[], theirs: readonly string[]])[] = [
    ['with a ref alone', ['--reference', 'a/b'], ['--branch=a/b', '--parent=none']],
    [
      'with everything',
      [
        '--reference',
        'm',
        '--subject',
        'One line',
        '--body',
        'Some\nmore',
        '--parent',
        'a'.repeat(64),
        '--add-metadata-string',
        'version=3=4',
        '--add-metadata',
        'n=uint32 7',
        '--add-metadata-string',
        'z=ü',
        '--bind-ref',
        'zz',
        '--bind-ref',
        'aa',
      ],
      [
        '--branch=m',
        '--subject=One line',
        '--body=Some\nmore',
        `--parent=${'a'.repeat(64)}`,
        '--add-metadata-string=version=3=4',
        '--add-metadata-string=z=ü',
        '--add-metadata=n=uint32 7',
        '--bind-ref=zz',
        '--bind-ref=aa',
      ],
    ],
    ['with no bindings', ['--reference', 'n', '--no-bindings'], ['--branch=n', '--no-bindings', '--parent=none']],
  ];
  for (const [name, ours, theirs] of cases) {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      test(`of a directory ${name} is the commit that ostree makes, in a ${algorithm} repository`, async () => {
        const path = freshRepository(algorithm);
        const args = ['--repo', path, 'ostree', 'commit', tree, '--timestamp', '@1700000000', ...ours];
        const made = await cfs(...args);
        const wanted = ostree(
          'commit',
          `--repo=${real}`,
          '--timestamp=@1700000000',
          `--tree=dir=${tree}`,
          ...theirs,
        ).trim();
        assert.equal(made['commit'], wanted);
        assert.equal(made['tagged'], ours[1]);
        using repository = await Repository.open(path);
        await assertClean(repository);
      });
    }
  }

  test('of the golden directory is the commit that ostree makes, and comes back the same from an export', async () => {
    const golden = join(base, 'golden');
    mkdirSync(golden);
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-xpf', fixture('dir.tar.xz'), '-C', golden]);
    const path = freshRepository();
    const args = ['--repo', path, 'ostree', 'commit', golden, '--timestamp', '@1', '--reference', 'g'];
    const refused = await run(...args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^Error: Cannot commit \/usr\/\w+: it is a [\w ]+, which OSTree cannot hold/);
    execFileSync('find', [golden, '(', '-type', 'c', '-o', '-type', 'b', '-o', '-type', 'p', ')', '-delete']);
    const made = await cfs(...args);
    const wanted = ostree('commit', `--repo=${real}`, '--timestamp=@1', `--tree=dir=${golden}`, '--branch=g').trim();
    assert.equal(made['commit'], wanted);

    for (const mode of ['archive', 'bare', 'bare-user']) {
      const exported = join(base, `golden-${mode}`);
      await cfs('--repo', path, 'ostree', 'export', 'g', exported, '--create', mode, '--reference', 'g');
      ostree('fsck', `--repo=${exported}`);
      const back = freshRepository();
      const pulled = await cfs('--repo', back, 'ostree', 'pull-local', exported, 'g');
      assert.deepEqual([pulled['commit'], pulled['verity']], [made['commit'], made['verity']]);
    }
  });

  test('of an image is the commit of the directory that the image is of', async () => {
    const path = freshRepository('sha512');
    const of = async (tree: string): Promise<Record<string, string>> =>
      cfs('--repo', path, 'ostree', 'commit', tree, '--timestamp', '@5');
    const first = await of(tree);
    const image = readdirSync(join(path, 'images')).find((name) => name !== 'refs');
    const second = await of(image!);
    assert.deepEqual(second, first);
    await cfs('--repo', path, 'ostree', 'create-image', first['commit']!, 'named');
    assert.deepEqual(await of('refs/named'), first);
    assert.deepEqual(await of('named'), first);
  });

  test('keeps what it refers to from garbage collection, also files of 65 to 128 bytes', async () => {
    const path = freshRepository('sha512');
    await cfs('--repo', path, 'ostree', 'commit', tree, '--reference', 'kept');
    await run('--repo', path, 'gc');
    using repository = await Repository.open(path);
    await assertClean(repository);
    const dump = await run('--repo', path, 'ostree', 'dump', 'kept');
    assert.match(dump.stdout, /^\/usr\/65 65 /m);
  });

  test('takes the time of SOURCE_DATE_EPOCH, of dates with a zone, and refuses others', async () => {
    const path = freshRepository();
    const commit = async (...more: readonly string[]): Promise<string | undefined> =>
      (await cfs('--repo', path, 'ostree', 'commit', join(tree, 'empty'), ...more))['commit'];
    process.env['SOURCE_DATE_EPOCH'] = '1577934245';
    const wanted = await commit();
    delete process.env['SOURCE_DATE_EPOCH'];
    for (const time of [
      '@1577934245',
      '2020-01-02T03:04:05Z',
      '2020-01-02 03:04:05 UTC',
      '2020-01-02T04:04:05+01:00',
    ]) {
      assert.equal(await commit('--timestamp', time), wanted, time);
    }
    for (const time of ['', 'yesterday', '2020-01-02', '@-1', '@', '12', '1969-01-01T00:00:00Z']) {
      const { code, stderr } = await run('--repo', path, 'ostree', 'commit', tree, '--timestamp', time);
      assert.deepEqual([code, stderr.slice(0, 7)], [2, 'Error: '], time);
    }
  });

  const refused: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
    [['--add-metadata-string', '=x'], 2, /'=x' is not KEY=VALUE/],
    [['--add-metadata', 'x'], 2, /'x' is not KEY=VALUE/],
    [['--add-metadata', 'x=uint32 no'], 2, /value of x is not GVariant text/],
    [['--bind-ref', 'a b'], 4, /Invalid ref name a b/],
    [['--reference', '../x'], 4, /Invalid ref name/],
    [['--bind-ref', 'a', '--no-bindings'], 2, /exclude each other/],
    [['--parent', 'unknown'], 3, /'unknown' is not a known ostree ref/],
  ];
  test('refuses options that do not fit, and stores nothing', async () => {
    const path = freshRepository();
    for (const [args, code, message] of refused) {
      const result = await run('--repo', path, 'ostree', 'commit', tree, ...args);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
    }
    assert.equal(existsSync(join(path, 'streams')), false);
  });

  test('refuses what OSTree cannot hold, by its path', async () => {
    const odd = join(base, 'odd');
    const path = freshRepository();
    const cases: readonly (readonly [make: () => void, message: RegExp])[] = [
      [() => execFileSync('mkfifo', [join(odd, 'd/pipe')]), /Cannot commit \/d\/pipe: it is a FIFO/],
      [() => execFileSync('mknod', [join(odd, 'd/null'), 'c', '1', '3']), /\/d\/null: it is a character device/],
      [() => writeFileSync(Buffer.concat([Buffer.from(`${odd}/`), Buffer.of(0xff)]), ''), /its name is not UTF-8/],
      [() => symlinkSync(Buffer.of(0xfe), join(odd, 'link')), /Cannot commit \/link: its target is not UTF-8/],
    ];
    for (const [make, message] of cases) {
      mkdirSync(join(odd, 'd'), { recursive: true });
      make();
      const { code, stderr } = await run('--repo', path, 'ostree', 'commit', odd);
      assert.equal(code, 1);
      assert.match(stderr, message);
      rmSync(odd, { recursive: true });
    }
  });

  test(
    'prints the lines that cfsctl prints, and cfsctl exports what it made',
    { skip: skipWithoutCfsctl },
    async () => {
      const path = freshRepository();
      const { stdout } = await run('--repo', path, 'ostree', 'commit', tree, '--reference', 'r', '--timestamp', '@9');
      assert.match(stdout, /^commit {2}[0-9a-f]{64}\nverity {2}[0-9a-f]{64}\ntagged {2}r\n$/);
      const json = JSON.parse(
        (await run('--json', '--repo', path, 'ostree', 'commit', tree, '--timestamp', '@9')).stdout,
      );
      assert.deepEqual(Object.keys(json as object), ['commit', 'verity', 'image']);
      const exported = join(base, 'by-cfsctl');
      ostree('init', `--repo=${exported}`, '--mode=bare-user');
      execFileSync(cfsctl!, ['--repo', path, 'ostree', 'export', 'r', exported, '--reference', 'r']);
      ostree('fsck', `--repo=${exported}`);
    },
  );
});
