/** Digest stores on a file system that shares blocks between files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestStoreTask } from '../../src/directory/digest-store.ts';
import { readDirectory } from '../../src/directory/read.ts';
import { objectPath, type ObjectId } from '../../src/verity/object-id.ts';
import { needs } from '../needs.ts';

describe('readDirectory() on XFS', { skip: needs('root', 'mkfs.xfs', 'XFS in the kernel', 'loop devices') }, () => {
  const base = mkdtempSync(join(tmpdir(), 'cfs-store-xfs-'));
  const mount = join(base, 'mount');
  const succeed = (program: string, ...args: string[]): void => {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  };
  before(() => {
    const image = join(base, 'image');
    mkdirSync(mount);
    writeFileSync(image, '');
    truncateSync(image, 400 << 20);
    succeed('mkfs.xfs', '-q', '-m', 'reflink=1', image);
    succeed('mount', '-o', 'loop', image, mount);
  });
  after(() => {
    spawnSync('umount', [mount]);
    rmSync(base, { recursive: true, force: true });
  });

  test('lets the objects of a store share the blocks of their files', async () => {
    const tree = join(mount, 'tree');
    const store = join(mount, 'store');
    mkdirSync(tree);
    const contents = new Map([70, 4096, 900_000].map((size) => [`file${size}`, Buffer.alloc(size, `${size} `)]));
    for (const [name, content] of contents) writeFileSync(join(tree, name), content);
    const options = { threads: 1, hardLinks: true };
    const { root, objects } = await readDirectory(tree, { content: digestStoreTask(store), ...options });
    assert.deepEqual(objects, { stored: 0, reflinked: 3, present: 0 });
    for (const [name, content] of contents) {
      const { digest } = root.entries.get(name as never)!;
      assert.ok(readFileSync(join(store, objectPath(digest as ObjectId))).equals(content));
    }
    utimesSync(join(tree, 'file70'), 1, 1);
    const again = await readDirectory(tree, { content: digestStoreTask(store), ...options });
    assert.deepEqual(again.objects, { stored: 0, reflinked: 0, present: 3 });
  });
});
