/** Exports and copies on file systems that share blocks. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { copyCommit } from '../../src/export/copy.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { repositoryNeeds } from '../ostree/real-ostree.ts';
import { assertClean, fixture, pull } from '../pull/support.ts';
import { exportTo } from './export-to.ts';
import { fsck } from './support.ts';

const kinds = [
  ['Btrfs', 'mkfs.btrfs', ['-q', '-f'], 200],
  ['XFS', 'mkfs.xfs', ['-q', '-f', '-m', 'reflink=1'], 400],
] as const;

for (const [kind, mkfs, flags, megabytes] of kinds) {
  const skip = needs(...repositoryNeeds, mkfs, `${kind} in the kernel`, 'loop devices');
  describe(`on ${kind}`, { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cfs-export-reflink-'));
    const mount = join(folder, 'mount');
    const from = join(mount, 'from');
    before(async () => {
      const image = join(folder, 'image');
      mkdirSync(mount);
      writeFileSync(image, '');
      truncateSync(image, megabytes * 2 ** 20);
      execFileSync(mkfs, [...flags, image]);
      execFileSync('mount', ['-o', 'loop', image, mount]);
      Repository.init(from, { algorithm: 'sha256', insecure: true });
      await pull(from, fixture('ostree-repo'), 'golden/plain');
    });
    after(() => {
      spawnSync('umount', [mount]);
      rmSync(folder, { recursive: true, force: true });
    });

    for (const mode of ['bare', 'bare-user', 'bare-split-xattrs'] as const) {
      test(`an export to ${mode} shares the blocks of what are objects`, async () => {
        const to = join(mount, mode);
        const { files } = await exportTo(from, 'golden/plain', to, { create: mode, reference: 'golden/plain' });
        assert.ok(files.reflinked > 200 && files.written < 100, JSON.stringify(files));
        fsck(to);
      });
    }

    for (const algorithm of ['sha256', 'sha512'] as const) {
      test(`a copy to a ${algorithm} repository shares them too`, async () => {
        const path = join(mount, algorithm);
        Repository.init(path, { algorithm, insecure: true });
        using source = await Repository.open(from);
        using target = await Repository.open(path);
        const { objects } = await copyCommit(source, target, 'golden/plain');
        assert.ok(objects.reflinked > 200, JSON.stringify(objects));
        assert.deepEqual([objects.hardlinked, objects.copied, objects['copied in kernel']], [0, 0, 0]);
        await assertClean(target);
      });
    }
  });
}
