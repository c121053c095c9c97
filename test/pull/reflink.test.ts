/** Pulls between repositories on one file system that shares blocks, and on others. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readCommit } from '../../src/commit/stored.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { makeRepositories, ostree, repositoryNeeds, type Repositories } from '../ostree/real-ostree.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, expected, pull } from './support.ts';

function run(...[program, ...args]: readonly [string, ...string[]]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Bytes in use, once all is on disk. */
function used(mount: string): number {
  run('sync', '-f', mount);
  return Number(run('df', '-B1', '--output=used', mount).trim().split('\n').at(-1));
}

const kinds = [
  ['Btrfs', 'mkfs.btrfs', ['-q', '-f'], '200M'],
  ['XFS', 'mkfs.xfs', ['-q', '-f', '-m', 'reflink=1'], '400M'],
] as const;

for (const [kind, mkfs, flags, size] of kinds) {
  describe(
    `pullCommit() on ${kind}`,
    { skip: needs(...repositoryNeeds, mkfs, `${kind} in the kernel`, 'loop devices') },
    () => {
      let repositories: Repositories;
      let folder: string;
      let mount: string;
      before(() => {
        folder = mkdtempSync(join(tmpdir(), 'cfs-reflink-'));
        mount = join(folder, 'mount');
        mkdirSync(mount);
        const image = join(folder, 'image');
        writeFileSync(image, '');
        truncateSync(image, Number.parseInt(size, 10) * 2 ** 20);
        run(mkfs, ...flags, image);
        run('mount', '-o', 'loop', image, mount);
        repositories = makeRepositories();
      });
      after(() => {
        spawnSync('umount', [mount]);
        rmSync(folder, { recursive: true, force: true });
        repositories[Symbol.dispose]();
      });

      for (const mode of ['bare-user', 'bare'] as const) {
        for (const threads of [1, 2]) {
          test(`shares the blocks of a ${mode} repository, with ${threads} threads`, async () => {
            const source = join(mount, `${mode}-${threads}`);
            ostree('init', `--repo=${source}`, `--mode=${mode}`);
            ostree('pull-local', `--repo=${source}`, repositories.archive, 'golden/x86_64/os');
            const path = join(mount, `target-${mode}-${threads}`);
            Repository.init(path, { algorithm: 'sha256', insecure: true });
            const { content, image, bytesWritten, commit } = await pull(path, source, 'golden/x86_64/os', { threads });
            assert.equal(image, expected.mkcomposefs['3']!['v1']!.fsverity_sha256);
            using repository = await Repository.open(path);
            const entries = [...readCommit(repository, commit).content.entries()];
            const external = entries.filter(([, { object }]) => object !== undefined).length;
            assert(external > 0);
            assert.equal(content.reflinked + content.present, external);
            assert.equal(content.reflinked, new Set(entries.flatMap(([, { object }]) => object ?? [])).size);
            assert.deepEqual([content.written, bytesWritten], [0, 0]);
            await assertClean(repository);
          });
        }
      }

      test('a large file takes no space, and a bad one no name', async () => {
        using handmade = new HandmadeCommits('bare-user');
        const bytes = Buffer.alloc(20 << 20, 'content that does not compress away? ');
        const file = handmade.file(bytes);
        const commit = handmade.commitFiles(['large', file]);
        const source = join(mount, 'large');
        run('cp', '-a', handmade.path, source);
        const path = join(mount, 'target-large');
        Repository.init(path, { algorithm: 'sha256', insecure: true });
        const before = used(mount);
        const { content } = await pull(path, source, commit);
        assert.deepEqual(content, { inline: 0, written: 0, reflinked: 1, present: 0 });
        assert(used(mount) - before < 10 << 20, `${used(mount) - before} bytes more are in use`);

        bytes[10 << 20]! ^= 1;
        writeFileSync(join(source, 'objects', file.slice(0, 2), `${file.slice(2)}.file`), bytes);
        const other = join(mount, 'target-bad');
        Repository.init(other, { algorithm: 'sha256', insecure: true });
        await assert.rejects(pull(other, source, commit), { code: 'CHECKSUM' });
        using repository = await Repository.open(other);
        await assertClean(repository);
        using first = await Repository.open(path);
        await assertClean(first);
      });

      test('copies to another file system', async () => {
        const source = join(mount, 'bare-user-1');
        const { content, bytesWritten } = await pull(freshRepository(), source, 'golden/x86_64/os');
        assert.equal(content.reflinked, 0);
        assert(content.written > 0 && bytesWritten > 0);
      });
    },
  );
}
