/** `cfs mount` and `cfs ostree mount`. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { unmount } from '../../src/linux/old-mount.ts';
import { needs } from '../needs.ts';
import { expected, fixture, pull } from '../pull/support.ts';
import { freshRepository } from '../repository/support.ts';
import { run } from './run.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-mount-command-'));
after(() => rmSync(base, { recursive: true, force: true }));
const [target, upper, work] = ['target', 'upper', 'work'].map((name) => join(base, name)) as [string, string, string];
for (const path of [target, upper, work]) mkdirSync(path);

describe('cfs mount', () => {
  const repo = freshRepository();
  const ref = 'golden/plain';
  let image = '';
  before(async () => {
    ({ image } = await pull(repo, fixture('ostree-repo'), ref));
  });

  const skip = needs('root', 'loop devices', 'EROFS in the kernel', 'overlay in the kernel');
  for (const [words, name] of [
    [['mount'], () => image],
    [['ostree', 'mount'], () => ref],
    [['ostree', 'mount'], () => expected.commits['plain']!.slice(0, 9)],
  ] as const) {
    test(
      `by ${words.join(' ')} shows the image read-only, and with an upper directory what is changed`,
      { skip },
      async () => {
        const mounted = async (more: readonly string[], look: () => void): Promise<void> => {
          const { code, stdout, stderr } = await run('--repo', repo, ...words, name(), target, ...more);
          assert.deepEqual([code, stdout, stderr], [0, '', '']);
          try {
            assert.ok(existsSync(join(target, 'usr')));
            look();
          } finally {
            unmount(target);
          }
        };
        const file = join(target, 'changed');
        rmSync(join(upper, 'changed'), { force: true });
        await mounted([], () => assert.throws(() => writeFileSync(file, ''), { code: 'EROFS' }));
        const layers = ['--upperdir', upper, '--workdir', work];
        await mounted([...layers, '--read-write', '--fuse', 'no'], () => writeFileSync(file, 'changed'));
        assert.deepEqual(readdirSync(upper), ['changed']);
        await mounted(layers, () => {
          assert.ok(existsSync(file));
          assert.throws(() => writeFileSync(file, ''), { code: 'EROFS' });
        });
        const json = await run('--json', '--repo', repo, ...words, name(), target);
        unmount(target);
        assert.deepEqual(JSON.parse(json.stdout), { image, mountpoint: target, writable: false });
      },
    );
  }

  const refused: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
    [[target, '--fuse', 'yes'], 1, /cfs mounts by the kernel only, not by FUSE/],
    [[target, '--fuse', 'maybe'], 2, /Allowed choices are auto, yes, no/],
    [[target, '--read-write'], 2, /--read-write needs --upperdir and --workdir/],
    [[target, '--upperdir', upper], 2, /--upperdir and --workdir go together/],
    [[target, '--workdir', work], 2, /--upperdir and --workdir go together/],
    [[target, '--upperdir', upper, '--workdir', join(base, 'no')], 3, /The work directory .*\/no does not exist/],
    [[join(base, 'no')], 3, /The mount point .*\/no does not exist/],
    [[import.meta.filename], 2, /is not a directory, so it can be no mount point/],
  ];
  test('refuses options and directories that do not fit, before anything is mounted', async () => {
    for (const [args, code, message] of refused) {
      const result = await run('--repo', repo, 'ostree', 'mount', ref, ...args);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
    }
    assert.deepEqual(readdirSync(target), []);
  });
});
