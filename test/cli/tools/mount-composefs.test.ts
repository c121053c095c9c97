import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runTool } from '../../../src/cli/tools/mount-composefs.ts';
import { writeImage } from '../../../src/erofs/write.ts';
import { unmount } from '../../../src/linux/old-mount.ts';
import { parseDump } from '../../../src/tree/dumpfile-parse.ts';
import { needs } from '../../needs.ts';
import { fixture } from '../../pull/support.ts';
import { captured, type Run } from '../run.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-mount.composefs-'));
after(() => rmSync(base, { recursive: true, force: true }));

const image = join(base, 'image');
const target = join(base, 'target');
const [first, second, comma] = ['one', 'two', 'with,comma\\'].map((name) => join(base, name)) as [
  string,
  string,
  string,
];
for (const path of [target, first, second, comma]) mkdirSync(path);
writeFileSync(join(first, 'a'), 'in one');
writeFileSync(join(second, 'b'), 'in two');
const dump =
  '/ 0 40755 2 0 0 0 0.0 - - -\n/a 6 100644 1 0 0 0 0.0 a - -\n/b 6 100644 1 1000 1000 0 0.0 b - -\n/c 1 100644 1 0 0 0 0.0 - c -\n';
writeFileSync(image, writeImage(parseDump(Buffer.from(dump)), { version: 1 }));

const mount = (...args: readonly string[]): Promise<Run> => captured(() => runTool('mount.composefs', args));

/** Mounts, looks, and unmounts. */
async function mounted(options: string, look: () => void): Promise<void> {
  const run = await mount('-t', 'composefs', image, '-o', options, target);
  assert.deepEqual(run, { code: 0, stdout: '', stderr: '' });
  try {
    look();
  } finally {
    unmount(target);
  }
  assert.deepEqual(readdirSync(target), []);
}

function mountLine(): string {
  return execFileSync('findmnt', ['-n', '-o', 'SOURCE,FSTYPE,OPTIONS', target], { encoding: 'utf8' });
}

const skip = needs('root', 'loop devices', 'EROFS in the kernel', 'overlay in the kernel', 'findmnt');

test('mount.composefs mounts with files from several object directories', { skip }, async () => {
  await mounted(`basedir=${first}:${second}`, () => {
    assert.equal(readFileSync(join(target, 'a'), 'utf8'), 'in one');
    assert.equal(readFileSync(join(target, 'b'), 'utf8'), 'in two');
    assert.equal(readFileSync(join(target, 'c'), 'utf8'), 'c');
    assert.match(mountLine(), /^composefs\s+overlay\s+r[ow],.*metacopy=on/);
    assert.throws(() => writeFileSync(join(target, 'new'), ''), { code: 'EROFS' });
  });
});

test('mount.composefs writes to an upper directory, unless ro says otherwise', { skip }, async () => {
  const upper = join(comma, 'upper');
  const work = join(comma, 'work');
  mkdirSync(upper);
  mkdirSync(work);
  const escaped = (path: string): string => path.replaceAll(/[\\,]/g, String.raw`\$&`);
  const options = `basedir=${first}:${second},upperdir=${escaped(upper)},workdir=${escaped(work)}`;
  await mounted(options, () => {
    writeFileSync(join(target, 'new'), 'written');
    assert.equal(readFileSync(join(target, 'a'), 'utf8'), 'in one');
  });
  assert.equal(readFileSync(join(upper, 'new'), 'utf8'), 'written');
  await mounted(`${options},rw,ro`, () => {
    assert.equal(readFileSync(join(target, 'new'), 'utf8'), 'written');
    assert.throws(() => writeFileSync(join(target, 'more'), ''), { code: 'EROFS' });
    assert.match(mountLine(), /overlay\s+ro,/);
  });
  await mounted(`${options},ro,rw`, () => writeFileSync(join(target, 'more'), ''));
});

test('mount.composefs shows owners as a user namespace maps them', { skip: skip || needs('unshare') }, async () => {
  const child = spawn('unshare', ['-U', '--map-root-user', 'sh', '-c', 'echo ready; read x'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    assert.deepEqual(await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]), [Buffer.from('ready\n')]);
    await mounted(`basedir=${first}:${second},idmap=/proc/${child.pid}/ns/user`, () => {
      const { uid, gid } = lstatSync(join(target, 'b'));
      // Of that namespace only root has an owner here; all others are nobody.
      assert.deepEqual([uid, gid, lstatSync(join(target, 'a')).uid], [65534, 65534, 0]);
    });
  } finally {
    child.kill();
  }
});

test('mount.composefs asks the kernel for the digest of the image', { skip }, async () => {
  for (const digest of ['ab'.repeat(32), 'AB'.repeat(32), '']) {
    const run = await mount('-o', `basedir=${first},digest=${digest}`, image, target);
    assert.equal(run.code, 1);
    assert.equal(run.stderr, `mount.composefs: Failed to mount composefs ${image}: Image has no fs-verity\n\n`);
  }
});

test(
  'mount.composefs with tryverity mounts, and lets the kernel refuse files without fs-verity',
  { skip },
  async () => {
    await mounted(`basedir=${first}:${second},tryverity`, () => {
      assert.equal(readFileSync(join(target, 'c'), 'utf8'), 'c');
      assert.throws(() => readFileSync(join(target, 'a')), { code: 'EIO' });
    });
  },
);

test('mount.composefs of what is no image, or is not there, fails with the words of the C tool', { skip }, async () => {
  const fails = async (path: string, where: string): Promise<string> => {
    const run = await mount('-o', `basedir=${first}`, path, where);
    assert.deepEqual([run.code, run.stdout], [1, '']);
    return run.stderr;
  };
  assert.equal(
    await fails('/nonexistent', target),
    'mount.composefs: Failed to open /nonexistent: No such file or directory\n\n',
  );
  assert.match(
    await fails(import.meta.filename, target),
    /^mount\.composefs: Failed to mount composefs .*: Invalid argument\n/,
  );
  assert.match(
    await fails(image, join(base, 'nowhere')),
    /^mount\.composefs: Failed to mount composefs .*: No such file or directory\n/,
  );
  const damaged = join(base, 'damaged');
  cpSync(fixture('images/single.v1.erofs'), damaged);
  writeFileSync(damaged, readFileSync(damaged).fill(0, 1024, 1100));
  assert.match(await fails(damaged, target), /Invalid argument\n/);
});

const failures: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
  [[], /^No source path specified\nusage: mount\.composefs /],
  [[image], /^No mount path specified\nusage: /],
  [[image, target, 'more'], /^Too many arguments\nusage: /],
  [['-t', 'ext4', image, target], /^Unsupported fs type 'ext4'\n$/],
  [[image, target], /^No object dirs specified\nusage: /],
  [['-o', 'ro', image, target], /^No object dirs specified\nusage: /],
  [['-o', 'basedir=x', '-o', 'ro', image, target], /^No object dirs specified\nusage: /],
  [['-o', 'basedir', image, target], /^No value specified for basedir option\n$/],
  [['-o', 'basedir=', image, target], /^Value for basedir option has incorrect format\n$/],
  [['-o', 'basedir=a::b', image, target], /^Value for basedir option has incorrect format\n$/],
  [['-o', 'basedir=a,noatime', image, target], /^Unsupported option noatime\n$/],
  [['-o', String.raw`basedir=a\,noatime,what=1`, image, target], /^Unsupported option what\n$/],
  [['-o', 'basedir=a,upperdir=u', image, target], /^Both workdir and upperdir must be specified if used\n$/],
  [['-o', 'basedir=a,workdir=u', image, target], /^Both workdir and upperdir must be specified if used\n$/],
  [['-o', 'basedir=a,digest=xyz', image, target], /: Invalid argument\n\n$/],
  [
    ['-o', 'basedir=a,idmap=/nonexistent', image, target],
    /^mount\.composefs: Failed to open userns \/nonexistent: No such file or directory\n\n$/,
  ],
  [['-x'], /^mount\.composefs: invalid option -- 'x'\nusage: /],
];
for (const [i, [args, stderr]] of failures.entries()) {
  test(`mount.composefs refuses wrong command lines (${i}: ${args.filter((arg) => !arg.startsWith(base)).join(' ')})`, async () => {
    const run = await mount(...args);
    assert.deepEqual([run.code, run.stdout], [1, '']);
    assert.match(run.stderr, stderr);
  });
}

test('mount.composefs -h is help', async () => {
  const { code, stdout } = await mount('-h');
  assert.equal(code, 0);
  assert.match(stdout, /^usage: mount\.composefs /);
});
