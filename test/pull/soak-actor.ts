/**
 * One user of a repository that many use at the same time: does one thing again and again until it is time. In a process of its own:
 * ROLE REPOSITORY SECONDS, which prints how often it did it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NotFoundError } from '../../bytes/errors.ts';
import { commitKnowledge } from '../../src/commit/check.ts';
import { commitOfRef, listCommits, readCommit, tagCommit, untagCommit } from '../../src/commit/stored.ts';
import { mountComposefs } from '../../src/linux/mount.ts';
import { unmount } from '../../src/linux/old-mount.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { objectFile } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { goldenPath } from '../ostree/golden.ts';
import { expected, goldenNames, pull } from './support.ts';

export const KEPT = 'golden/x86_64/os';

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

/** All files below a directory are read. */
function readAll(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { parentPath, name } of files) readFileSync(join(parentPath, name));
  return files.length;
}

const actions = {
  /** Any commit, by its id, which is also its name then. */
  async pull(path: string) {
    const commit = expected.commits[pick(goldenNames)]!;
    const { image } = await pull(path, goldenPath, commit, { threads: pick([1, 2]) });
    assert(image);
  },

  async gc(path: string) {
    using repository = await Repository.open(path);
    const { warnings } = await collectGarbage(repository);
    assert.deepEqual(warnings, []);
    await sleep(Math.random() * 30);
  },

  async tag(path: string) {
    using repository = await Repository.open(path);
    const commits = listCommits(repository).filter(({ name }) => name !== KEPT);
    if (commits.length === 0) return;
    const { name, commit } = pick(commits);
    try {
      if (Math.random() < 0.5) await tagCommit(repository, commit, `tag-${commit.slice(0, 8)}`);
      else untagCommit(repository, name);
    } catch (error) {
      // Another one was faster.
      if (!(error instanceof NotFoundError)) throw error;
    }
    await sleep(Math.random() * 10);
  },

  async mount(path: string) {
    using repository = await Repository.open(path);
    const target = mkdtempSync(join(tmpdir(), 'cfs-soak-'));
    const release = await repository.hold();
    try {
      const { name } = pick(listCommits(repository));
      const commit = commitOfRef(repository, name);
      // Untagged since, but not collected.
      if (commit === undefined) return;
      const image = readCommit(repository, commit).image!;
      mountComposefs({
        image: objectFile(repository, image),
        objects: [join(path, 'objects')],
        source: `composefs:${image}`,
        target,
        readOnly: true,
      });
      // From here on only the mount keeps it.
      release();
      try {
        if (name !== KEPT) untagCommit(repository, name);
      } catch (error) {
        if (!(error instanceof NotFoundError)) throw error;
      }
      await sleep(Math.random() * 200);
      readAll(target);
      unmount(target);
    } finally {
      release();
      rmdirSync(target);
    }
  },

  async fsck(path: string) {
    using repository = await Repository.open(path);
    const { problems } = await checkRepository(repository, { streams: commitKnowledge(repository) });
    assert.deepEqual(problems, []);
    readCommit(repository, commitOfRef(repository, KEPT)!);
  },
};

export type Role = keyof typeof actions;

/** @returns how often it was done. */
export async function act(role: Role, path: string, seconds: number): Promise<number> {
  const end = performance.now() + 1000 * seconds;
  let count = 0;
  for (; performance.now() < end; count++) {
    await actions[role](path);
    await sleep(1);
  }
  return count;
}

if (import.meta.main) {
  const [role, path, seconds] = process.argv.slice(2) as [Role, string, string];
  console.log(await act(role, path, Number(seconds)));
}
