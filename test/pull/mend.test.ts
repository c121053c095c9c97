/** Repositories that are damaged, or that other programs filled in their own way, and the pull that mends them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeCommit } from '../../ostree/commit.ts';
import { createCommitImage } from '../../src/commit/image.ts';
import { streamName } from '../../src/commit/commit-stream.ts';
import { commitRef, findCommit, readCommit } from '../../src/commit/stored.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { objectPath, type ObjectId } from '../../src/verity/object-id.ts';
import { needs, toolPath } from '../needs.ts';
import { copyGoldenRepository } from '../ostree/real-ostree.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { commit, copyPristine, externals, flip, good, os, restream, stored } from './damage.ts';
import { assertClean, expected, pull, Recorder } from './support.ts';

/** A copy of the repository that `damage` is done to. Files of objects are given. */
function damaged(damage: (file: (id: ObjectId) => string, path: string) => void): string {
  const path = copyPristine();
  damage((id) => join(path, 'objects', objectPath(id)), path);
  return path;
}

/** Pulls again: all must be as it was, with at most so many objects fetched. */
async function mends(path: string, most: number): Promise<void> {
  const source = new Recorder(openLocalSource(goldenPath));
  const again = await pull(path, source, os);
  assert(source.count <= most, `${source.count} objects were fetched, ${most} are enough`);
  assert.deepEqual([again.image, again.stream, again.commit], [good.image, good.stream, good.commit]);
  using repository = await Repository.open(path);
  await assertClean(repository);
  assert.equal(readCommit(repository, commit).image, good.image);
}

describe('a pull mends', () => {
  const everything = 1000;
  const cases: readonly (readonly [string, (file: (id: ObjectId) => string, path: string) => void, number])[] = [
    ['a missing object', (file) => rmSync(file(externals[0]!)), 3],
    ['all objects missing', (file) => externals.forEach((id) => rmSync(file(id))), everything],
    ['an empty object', (file) => truncateSync(file(externals[0]!)), 3],
    ['an object that is cut', (file) => truncateSync(file(externals[1]!), statSync(file(externals[1]!)).size - 1), 3],
    ['a commit stream that is cut', (file) => truncateSync(file(good.stream), 100), everything],
    ['an empty commit stream', (file) => truncateSync(file(good.stream)), everything],
    ['a commit stream with a flipped bit', (file) => flip(file(good.stream)), everything],
    ['a missing commit stream', (file) => rmSync(file(good.stream)), everything],
    ['a missing link to the commit stream', (_, path) => rmSync(join(path, 'streams', streamName(commit))), everything],
    ['a missing ref', (_, path) => rmSync(join(path, 'streams/refs', commitRef(os))), 0],
    ['a missing image', (file) => rmSync(file(good.image)), 0],
    ['an image that is cut', (file) => truncateSync(file(good.image), 4096), 0],
    ['an image with a flipped bit', (file) => flip(file(good.image)), 0],
    ['a missing link to the image', (_, path) => rmSync(join(path, 'images', good.image)), 0],
    [
      'missing folders',
      (_, path) => ['images', 'streams'].forEach((name) => rmSync(join(path, name), { recursive: true })),
      everything,
    ],
  ];
  for (const [name, damage, most] of cases) test(name, () => mends(damaged(damage), most));
});

describe('createCommitImage() makes anew', () => {
  for (const [name, damage] of [
    ['a missing image', (file) => rmSync(file(good.image))],
    ['an image that is cut', (file) => truncateSync(file(good.image), 4096)],
    ['an image with a flipped bit', (file) => flip(file(good.image))],
    ['a missing link to the image', (_, path) => rmSync(join(path, 'images', good.image))],
  ] as readonly (readonly [string, (file: (id: ObjectId) => string, path: string) => void])[]) {
    test(name, async () => {
      using repository = await Repository.open(damaged(damage));
      const made = await createCommitImage(repository, commit);
      assert.deepEqual(made, { commit, stream: good.stream, image: good.image, replaced: undefined });
      await assertClean(repository);
    });
  }

  test('an image of another version, and gives it a name', async () => {
    using repository = await Repository.open(damaged(() => {}));
    const made = await createCommitImage(repository, commit, { version: 0, name: 'my/name' });
    assert.equal(made.image, expected.mkcomposefs['3']!['v0']!.fsverity_sha256);
    assert.equal(made.replaced, good.image);
    assert.notEqual(made.stream, good.stream);
    assert.equal(readCommit(repository, commit).image, made.image);
    await assertClean(repository);
    await collectGarbage(repository);
    await assertClean(repository);
    const back = await createCommitImage(repository, commit);
    assert.deepEqual([back.image, back.stream, back.replaced], [good.image, good.stream, made.image]);
  });

  test('and refuses a commit that is not stored', async () => {
    using repository = await Repository.open(freshRepository());
    await assert.rejects(createCommitImage(repository, commit), { code: 'NOT_FOUND', message: new RegExp(commit) });
  });
});

describe('a commit stream by hand', () => {
  test('without an image gets one', async () => {
    const path = damaged(() => {});
    await restream(path, []);
    await mends(path, 0);
  });

  test('with another image gets the right one, from a pull or createCommitImage()', async () => {
    for (const how of ['pull', 'create'] as const) {
      const path = damaged(() => {});
      await restream(path, [{ id: externals[0]! }]);
      if (how === 'pull') await mends(path, 0);
      using repository = await Repository.open(path);
      const made = await createCommitImage(repository, commit);
      assert.deepEqual([made.image, made.stream], [good.image, good.stream]);
      assert.equal(made.replaced, how === 'pull' ? undefined : externals[0]);
    }
  });

  test('whose metadata are not what their checksums say is no base', async () => {
    const { rootTree } = decodeCommit(stored.content.get(commit)!.data, commit);
    for (const name of [commit, rootTree]) {
      const path = damaged(() => {});
      await restream(path, [{ id: good.image }], (objects) => {
        const data = Buffer.from(objects.get(name)!.data);
        data[data.length - 1]! ^= 1;
        objects.set(name, { data, object: undefined });
      });
      await mends(path, 1);
    }
  });

  test('that lacks an object is complete after a pull', async () => {
    const path = damaged(() => {});
    const [file] = [...stored.content.entries()].find(([, { object }]) => object !== undefined)!;
    await restream(path, [{ id: good.image }], (objects) => objects.delete(file));
    using repository = await Repository.open(path);
    await assert.rejects(createCommitImage(repository, commit), { code: 'CORRUPT', message: new RegExp(file) });
    await mends(path, 1);
  });

  test('of another commit is no base, and createCommitImage() refuses it', async () => {
    const path = damaged(() => {});
    using repository = await Repository.open(path);
    const other = expected.commits['plain']!;
    await pull(path, goldenPath, other);
    const { stream } = findCommit(repository, other)!;
    {
      using transaction = await repository.begin();
      transaction.linkStream(streamName(commit), stream);
      await transaction.commit();
    }
    await assert.rejects(createCommitImage(repository, commit), { code: 'FORMAT' });
    await mends(path, 1000);
  });
});

describe('what composefs-rs stored', { skip: needs('cfsctl') }, () => {
  const cfsctl = (path: string, ...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(toolPath('cfsctl')!, ['--repo', path, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  };

  /** A repository that cfsctl pulled into. */
  function pulledByRust(name: string): string {
    const path = freshRepository();
    const source = freshPath();
    copyGoldenRepository(source);
    cfsctl(path, 'ostree', 'pull-local', source, name);
    return path;
  }

  test('gets an image whose xattrs Linux finds, and nothing is fetched', async () => {
    const path = pulledByRust(os);
    using repository = await Repository.open(path);
    const theirs = readCommit(repository, commit);
    assert.notEqual(theirs.image, good.image);
    await mends(path, 0);
    await collectGarbage(repository);
    await assertClean(repository);
  });

  test('is the same without xattrs', async () => {
    const path = pulledByRust('golden/plain');
    const source = new Recorder(openLocalSource(goldenPath));
    const mine = await pull(path, source, 'golden/plain');
    assert.equal(source.count, 0);
    assert.equal(mine.image, expected.images['plain']!.sha256['v1']);
  });
});
