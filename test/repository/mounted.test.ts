import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { untagCommit } from '../../src/commit/stored.ts';
import { parseMountinfo } from '../../src/linux/mountinfo.ts';
import { mountComposefs } from '../../src/linux/mount.ts';
import { unmount } from '../../src/linux/old-mount.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { mountedImages } from '../../src/repository/mounted.ts';
import { objectFile } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { fixture, objectNames, pull } from '../pull/support.ts';

const top = mkdtempSync(join(tmpdir(), 'cfs-mounted-'));
after(() => rmSync(top, { recursive: true, force: true }));

async function repositoryWithCommit(name: string) {
  const path = join(top, name);
  Repository.init(path, { insecure: true, algorithm: 'sha256' });
  const { image } = await pull(path, fixture('ostree-repo'), 'golden/plain');
  return { path, image };
}

describe('parseMountinfo()', () => {
  it('reads targets, sources and options, with their escapes', () => {
    const line = String.raw`45 27 0:40 / /mnt/a\040b ro,relatime shared:1 - overlay composefs:ab ro,lowerdir+=/,datadir+=/r\134x`;
    assert.deepEqual(parseMountinfo(`${line}\nnonsense\n`), [
      {
        target: '/mnt/a b',
        type: 'overlay',
        source: 'composefs:ab',
        options: ['ro', 'lowerdir+=/', String.raw`datadir+=/r\x`],
      },
    ]);
  });
});

describe('mountedImages()', () => {
  it('tells images of this repository from mounts of others, and from overlays that hide which', async () => {
    const { path, image } = await repositoryWithCommit('tell');
    using repository = await Repository.open(path);
    const mount = (target: string, source: string, ...options: readonly string[]) => ({
      target,
      type: 'overlay',
      source,
      options,
    });
    const { images, unknown } = mountedImages(repository, [
      mount('/mine', `composefs:${image}`),
      mount('/other', `composefs:${'0'.repeat(64)}`, 'datadir+=/elsewhere/objects'),
      mount('/hostile', 'composefs:refs/../../x'),
      mount('/c', 'composefs', 'lowerdir+=/', `datadir+=${path}/objects`),
      mount('/old', 'overlay', `lowerdir=/proc/self/fd/3::${path}/objects`),
      { ...mount('/tmpfs', `composefs:${image}`), type: 'tmpfs' },
    ]);
    assert.deepEqual([...images], [[image, '/mine']]);
    assert.deepEqual(unknown, ['/c', '/old']);
  });
});

describe('collectGarbage()', { skip: needs('root', 'EROFS in the kernel', 'overlay in the kernel') }, () => {
  it('keeps what a mounted image needs until it is unmounted, and says of whom it cannot tell', async () => {
    const { path, image } = await repositoryWithCommit('keep');
    using repository = await Repository.open(path);
    const target = join(top, 'mountpoint');
    mkdirSync(target);
    const mount = (source: string): void =>
      mountComposefs({
        image: objectFile(repository, image),
        objects: [join(path, 'objects')],
        source,
        target,
        hidesObjects: true,
        readOnly: true,
      });
    untagCommit(repository, 'golden/plain');
    mount(`composefs:${image}`);
    try {
      await collectGarbage(repository);
      assert.equal(spawnSync('diff', ['-r', target, target]).status, 0);
      assert.ok(objectNames(path).length > 10);
    } finally {
      unmount(target);
    }
    mount('composefs');
    try {
      await assert.rejects(collectGarbage(repository), {
        code: 'LOCKED',
        message: /the mount at .*mountpoint has objects/,
      });
    } finally {
      unmount(target);
    }
    await collectGarbage(repository);
    assert.deepEqual(objectNames(path), []);
  });
});
