import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { attachLoop } from '../../src/linux/loop.ts';
import { mountComposefs, mountErofs, type ComposefsMount } from '../../src/linux/mount.ts';
import { unmount } from '../../src/linux/old-mount.ts';
import { needs } from '../needs.ts';
import { closeSync, openSync } from 'node:fs';

const directory = mkdtempSync(join(tmpdir(), 'cfs-mount-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const target = join(directory, 'target');
const objects = join(directory, 'objects');
mkdirSync(target);
mkdirSync(objects);
const image = join(directory, 'image');
cpSync(new URL('../../fixtures/images/1.v1.erofs', import.meta.url), image);

const mount: ComposefsMount = { image, objects: [objects], source: 'composefs:test', target, readOnly: true };

const skip = needs('root', 'loop devices', 'EROFS in the kernel', 'overlay in the kernel');

test('mountComposefs() mounts an image over an object directory, and unmount() takes it away', { skip }, () => {
  mountComposefs(mount);
  try {
    assert.ok(readdirSync(target).length > 0);
    const line = execFileSync('findmnt', ['-n', '-o', 'SOURCE,FSTYPE,OPTIONS', target], { encoding: 'utf8' });
    assert.match(line, /^composefs:test\s+overlay\s+ro,/);
    assert.match(line, /metacopy=on/);
  } finally {
    unmount(target);
  }
  assert.deepEqual(readdirSync(target), []);
});

test('mountComposefs() of a file that is no image throws with what the kernel said', { skip }, () => {
  assert.throws(() => mountComposefs({ ...mount, image: new URL(import.meta.url).pathname }), /erofs|EUCLEAN|EINVAL/);
});

test('mountErofs() refuses a missing image with ENOENT', { skip }, () => {
  assert.throws(() => mountErofs(join(directory, 'absent')), { code: 'ENOENT' });
});

test('attachLoop() gives a read-only loop device that mountErofs() can use', { skip }, () => {
  const file = openSync(image, 'r');
  let loop: ReturnType<typeof attachLoop>;
  try {
    loop = attachLoop(file);
  } finally {
    closeSync(file);
  }
  try {
    closeSync(mountErofs(loop.path));
  } finally {
    closeSync(loop.fd);
  }
});

test('unmount() of a directory that is no mount point throws EINVAL', { skip }, () => {
  assert.throws(() => unmount(target), { code: 'EINVAL', syscall: 'umount2' });
});

for (const api of ['new', 'old'] as const) {
  test(
    `mountComposefs() by the ${api} mount calls mounts with an upper directory whose name needs care`,
    { skip },
    () => {
      const upperdir = join(directory, `${api},upper\\`);
      const workdir = join(directory, `${api}:work`);
      mkdirSync(upperdir);
      mkdirSync(workdir);
      const writable = { ...mount, upper: { upperdir, workdir }, readOnly: false, hidesObjects: true, noAcl: true };
      mountComposefs(writable, api);
      try {
        writeFileSync(join(target, 'new'), 'written');
      } finally {
        unmount(target);
      }
      assert.deepEqual(readdirSync(upperdir), ['new']);
      mountComposefs({ ...writable, readOnly: true }, api);
      try {
        assert.equal(readFileSync(join(target, 'new'), 'utf8'), 'written');
        assert.throws(() => writeFileSync(join(target, 'more'), ''), { code: 'EROFS' });
      } finally {
        unmount(target);
      }
    },
  );
}

test('mountComposefs() by the old mount calls leaves nothing behind, and cannot map owners', { skip }, () => {
  const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('.cfs-mount-'));
  const before = left();
  mountComposefs(mount, 'old');
  assert.ok(readdirSync(target).length > 0);
  unmount(target);
  assert.throws(() => mountComposefs({ ...mount, userNamespace: 0 }, 'old'), { code: 'UNSUPPORTED' });
  assert.throws(() => mountComposefs({ ...mount, image: import.meta.filename }, 'old'));
  assert.deepEqual(left(), before);
});
