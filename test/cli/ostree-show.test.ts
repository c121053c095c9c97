/** Commands that show commits, beside the real `ostree`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { needs } from '../needs.ts';
import { copyGoldenRepository, ostree } from '../ostree/real-ostree.ts';
import { expected } from '../pull/support.ts';
import { run } from './run.ts';

describe('ostree ls, cat and log', { skip: needs('ostree', 'root') }, () => {
  const top = mkdtempSync(join(tmpdir(), 'cfs-show-'));
  const [repo, golden, plain] = ['repo', 'golden', 'plain'].map((name) => join(top, name)) as [string, string, string];
  const cfs = (...args: readonly string[]) => run('--repo', repo, ...args);

  before(async () => {
    copyGoldenRepository(golden);
    const tree = join(top, 'tree');
    for (const folder of ['d/x', 'k', 'gone/sub']) mkdirSync(join(tree, folder), { recursive: true });
    for (const name of ['d/f', 'zfile', 'afile', 'k/q', 'gone/sub/g']) writeFileSync(join(tree, name), `${name}\n`);
    symlinkSync('../k/./q', join(tree, 'd/link'));
    symlinkSync('/d/link', join(tree, 'absolute'));
    symlinkSync('loop', join(tree, 'loop'));
    ostree('init', `--repo=${plain}`, '--mode=archive');
    ostree('commit', `--repo=${plain}`, '--branch=os', `--tree=dir=${tree}`, '--owner-uid=7');
    const lines = ['--subject=one\ntwo', '--body=a\n\nb\n\n', '--add-metadata-string=version=7'];
    ostree('commit', `--repo=${plain}`, '--branch=os', `--tree=dir=${tree}`, ...lines);
    const refs = ['1', '2', '3', 'plain'].map((name) => expected.commits[name]!);
    for (const ref of refs) assert.equal((await cfs('ostree', 'pull-local', golden, ref)).code, 0);
    for (const ref of ['os^', 'os']) await cfs('ostree', 'pull-local', plain, ref);
  });
  after(() => rmSync(top, { recursive: true, force: true }));

  const real = (repository: string, ...args: readonly string[]) => {
    const { stdout, status } = spawnSync('ostree', [`--repo=${repository}`, ...args], {
      encoding: args[0] === 'cat' ? 'latin1' : 'utf8',
    });
    return { stdout, ok: status === 0 };
  };

  const golden3 = expected.commits['3']!;
  const same: readonly (readonly ['golden' | 'plain', ...string[]])[] = [
    ['golden', 'ls', golden3],
    ['golden', 'ls', golden3, '/usr', 'etc/hostname', '/bin'],
    ['golden', 'ls', '-d', golden3, '/usr'],
    ['golden', 'ls', '-R', '--nul-filenames-only', golden3],
    ['golden', 'ls', '-C', golden3, '/usr/bin'],
    ['golden', 'log', golden3],
    ['golden', 'cat', golden3, '/usr/lib/os-release', '/etc/hostname'],
    ['golden', 'cat', golden3, '/usr/lib/random-300k', '/usr/lib/size-64', '/usr/lib/size-0'],
    ['plain', 'ls', '-R', 'os'],
    ['plain', 'ls', '-R', '-C', '-X', 'os'],
    ['plain', 'log', 'os'],
    ['plain', 'log', 'os^'],
    ['plain', 'cat', 'os', 'k/q', 'afile'],
  ];
  for (const [repository, command = '', ...args] of same) {
    it(`${command} ${args.map((arg) => arg.slice(0, 12)).join(' ')} is as ostree has it`, async () => {
      const at = repository === 'golden' ? golden : plain;
      const { stdout, ok } = real(at, command, ...args);
      assert.ok(ok);
      // Here a commit's parent has no name of its own.
      const ours = args.map((arg) => (arg === 'os^' ? ostree('rev-parse', `--repo=${at}`, 'os^').trim() : arg));
      const result = await cfs('ostree', command, ...ours);
      assert.equal(result.code, 0, result.stderr);
      assert.ok(result.stdout === stdout, `${result.stdout.slice(0, 300)}\n${stdout.slice(0, 300)}`);
    });
  }

  const refused: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
    [3, /No such file or directory: \/nope in commit/, 'ls', golden3, '/nope'],
    [3, /No such file or directory/, 'ls', golden3, '/etc/hostname/x'],
    [2, /\/usr is a directory/, 'cat', golden3, '/usr'],
    [3, /No such file or directory/, 'cat', golden3, '/usr/lib/longlink'],
    [4, /Too many symlinks on the way to \/loop/, 'cat', 'os', '/loop'],
    [3, /not a known ostree ref/, 'log', 'no/such'],
  ];
  for (const [code, message, ...args] of refused) {
    it(`${args.join(' ')} ends with ${code}`, async () => {
      const result = await cfs('ostree', ...args);
      assert.equal(result.code, code);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, '');
    });
  }

  it('cat follows symlinks, absolute and relative ones, inside of the commit', async () => {
    const { stdout } = await cfs('ostree', 'cat', 'os', '/absolute', 'd/link', '/d/../d/f');
    assert.equal(stdout, 'k/q\nk/q\nd/f\n');
  });

  it('ls --json tells the object and xattrs of each file', async () => {
    const { stdout } = await cfs('--json', 'ostree', 'ls', golden3, '/usr/bin/ping');
    const [entry] = JSON.parse(stdout).entries;
    assert.equal(entry.size, 70_000);
    assert.match(entry.object, /^[0-9a-f]{128}$/);
    assert.deepEqual(
      entry.xattrs.map(({ name }: { name: string }) => name),
      ['security.capability'],
    );
  });

  it('log --json has the ancestors', async () => {
    const { stdout } = await cfs('--json', 'ostree', 'log', golden3);
    const { commits } = JSON.parse(stdout);
    assert.deepEqual(
      commits.map(({ version }: { version: string }) => version),
      ['3.0', '2.0', '1.0'],
    );
  });
});
