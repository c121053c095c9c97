/** Pulls of some paths, of the commit alone, and of parents: the same objects as `ostree pull`, completed by later pulls. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { loosePath } from '../../ostree/object-type.ts';
import { encodeCommitStream, streamName } from '../../src/commit/commit-stream.ts';
import { commitKnowledge } from '../../src/commit/check.ts';
import { createCommitImage, createSubtreeImage, storedTree } from '../../src/commit/image.ts';
import { isStoredInPart } from '../../src/commit/partial.ts';
import { commitOfRef, listCommits, readCommit, tagCommit, untagCommit } from '../../src/commit/stored.ts';
import type { PullOptions } from '../../src/pull/pull.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { readObject } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { readImage } from '../../src/erofs/read.ts';
import { formatDump } from '../../src/tree/dumpfile-format.ts';
import { needs } from '../needs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { copyGoldenRepository, ostree } from '../ostree/real-ostree.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { quick } from '../ostree/http/open-transport.ts';
import { openHttpSource } from '../../ostree/http/source.ts';
import { cfsctl, freshPath, freshRepository, skipWithoutCfsctl } from '../repository/support.ts';
import { expected, pull, pullPart, Recorder, visible } from './support.ts';

const os = 'golden/x86_64/os';
const [newest, middle, oldest] = ['3', '2', '1'].map((name) => expected.commits[name]!) as [
  OstreeChecksum,
  OstreeChecksum,
  OstreeChecksum,
];

/** Everything is in order, also for what commits must hold. */
async function assertSound(repository: Repository): Promise<void> {
  const { problems } = await checkRepository(repository, {
    streams: commitKnowledge(repository),
  });
  assert.deepEqual(problems, []);
}

/** The objects of stored commits, as `ostree` has them. */
function storedObjects(repository: Repository, commits: readonly OstreeChecksum[]): string[] {
  return [
    ...new Set(commits.flatMap((commit) => Array.from(readCommit(repository, commit).content.entries(), ([id]) => id))),
  ].toSorted();
}

/** What the options mean to `ostree`, and how many objects it gets. */
const parts: readonly (readonly [name: string, options: PullOptions, flags: readonly string[]])[] = [
  ['a directory', { subpaths: ['/usr/share'] }, ['--subpath=/usr/share']],
  ['two directories', { subpaths: ['/etc', '/usr/bin'] }, ['--subpath=/etc', '--subpath=/usr/bin']],
  [
    'a directory and a file in it',
    { subpaths: ['/usr/bin', '/usr/bin/su'] },
    ['--subpath=/usr/bin', '--subpath=/usr/bin/su'],
  ],
  ['a file', { subpaths: ['/usr/bin/su'] }, ['--subpath=/usr/bin/su']],
  ['a symlink', { subpaths: ['/bin'] }, ['--subpath=/bin']],
  ['what is below a file', { subpaths: ['/usr/bin/su/x'] }, ['--subpath=/usr/bin/su/x']],
  ['a path that is not there', { subpaths: ['/usr/none'] }, ['--subpath=/usr/none']],
  ['the commit alone', { commitMetadataOnly: true }, ['--commit-metadata-only']],
  ['a parent', { depth: 1 }, ['--depth=1']],
  ['all parents', { depth: -1 }, ['--depth=-1']],
  ['more parents than there are', { depth: 9 }, ['--depth=9']],
  ['a directory of all parents', { subpaths: ['/usr'], depth: -1 }, ['--subpath=/usr', '--depth=-1']],
  ['all commits alone', { commitMetadataOnly: true, depth: -1 }, ['--commit-metadata-only', '--depth=-1']],
];

describe('pullCommit() gets the objects that ostree pull gets', { skip: needs('ostree') }, () => {
  let source: string;
  before(() => copyGoldenRepository((source = freshPath())));

  for (const [name, options, flags] of parts) {
    test(`of ${name}`, async () => {
      const theirs = freshPath();
      ostree('init', `--repo=${theirs}`, '--mode=archive');
      ostree('remote', 'add', `--repo=${theirs}`, '--no-gpg-verify', 'origin', `file://${source}`);
      ostree('pull', `--repo=${theirs}`, ...flags, 'origin', os);
      const wanted = readdirSync(join(theirs, 'objects'), { recursive: true, encoding: 'utf8' })
        .flatMap((path) => /^(..)\/(.{62})\.(?:filez|dirtree|dirmeta|commit)$/.exec(path)?.slice(1).join('') ?? [])
        .toSorted();
      const partial = readdirSync(join(theirs, 'state'))
        .map((each) => each.replace('.commitpartial', ''))
        .toSorted();
      assert.equal(ostree('refs', `--repo=${theirs}`, '--list').trim(), `origin:${os}`);

      const path = freshRepository();
      const result = await pullPart(path, source, os, options);
      using repository = await Repository.open(path);
      const commits = [result.commit, ...result.parents];
      assert.deepEqual(storedObjects(repository, commits), wanted);
      assert.equal(result.metadataFetched + result.filesFetched, wanted.length, 'an object was read twice');
      assert.deepEqual(commits.filter((each) => isStoredInPart(repository, each)).toSorted(), partial);
      assert.equal(result.partial, partial.length > 0);
      assert.equal(result.image === undefined, result.partial);
      assert.equal(commitOfRef(repository, os), newest);
      await assertSound(repository);
    });
  }
});

describe('a commit that is stored in part', () => {
  let pristine: string;
  let whole: string;
  let image: string;
  before(async () => {
    pristine = freshRepository();
    await pullPart(pristine, goldenPath, os, { subpaths: ['/usr/share'] });
    whole = freshRepository();
    ({ image } = await pull(whole, goldenPath, os));
  });

  function copy(): string {
    const path = freshPath();
    cpSync(pristine, path, { recursive: true, verbatimSymlinks: true });
    return path;
  }

  test('is refused where the whole tree is needed', async () => {
    using repository = await Repository.open(copy());
    const says = { code: 'PARTIAL', message: /is stored in part, .*without --subpath/ };
    await assert.rejects(storedTree(readCommit(repository, newest)), says);
    await assert.rejects(createCommitImage(repository, newest), says);
    await assert.rejects(storedTree(readCommit(repository, newest), '/usr/bin'), says);
    assert.deepEqual(
      readdirSync(repository.path).includes('images') && readdirSync(join(repository.path, 'images')),
      false,
    );
  });

  test('is completed by pulls of other paths, each of which fetches only what is missing', async () => {
    const path = copy();
    const all = new Recorder(openLocalSource(goldenPath));
    await pull(freshRepository(), all, os);
    const first = new Recorder(openLocalSource(goldenPath));
    await pullPart(freshRepository(), first, os, { subpaths: ['/usr/share'] });

    const second = new Recorder(openLocalSource(goldenPath));
    const more = await pullPart(path, second, os, { subpaths: ['/usr/bin'] });
    assert(more.partial && more.image === undefined);
    const third = new Recorder(openLocalSource(goldenPath));
    const result = await pull(path, third, os);
    assert.equal(result.image, image);
    const asked = [first, second, third].flatMap(({ metadata, files }) => metadata.concat(files));
    assert.deepEqual(asked.toSorted(), [...all.metadata, ...all.files].toSorted());
    using repository = await Repository.open(path);
    assert(!isStoredInPart(repository, newest));
    await assertSound(repository);
    using other = await Repository.open(whole);
    assert.equal(result.stream, readCommit(other, newest).stream);
  });

  test('is complete once pulls of paths had everything', async () => {
    const path = copy();
    const rest = ['/bin', '/empty', '/etc', '/tmp', '/usr/bin', '/usr/lib'];
    const half = await pullPart(path, goldenPath, os, { subpaths: rest.slice(2) });
    assert(half.partial);
    const names = [...(await storedTree(readCommit(await Repository.open(whole), newest))).entries.keys()];
    const result = await pull(path, goldenPath, os, { subpaths: [...rest, ...names.map((name) => `/${name}`)] });
    assert.equal(result.image, image);
  });

  test('stays as it is when what is there is pulled again', async () => {
    const path = copy();
    const source = new Recorder(openLocalSource(goldenPath));
    const before = await pullPart(pristine, goldenPath, os, { subpaths: ['/usr/share'] });
    for (const options of [
      { subpaths: ['/usr/share'] },
      { subpaths: ['/usr/share/deep'] },
      { commitMetadataOnly: true },
    ]) {
      const again = await pullPart(path, source, os, options);
      assert.deepEqual([source.count, again.stream, again.partial], [0, before.stream, true]);
    }
  });

  test('never takes the place of the whole one', async () => {
    const path = freshPath();
    cpSync(whole, path, { recursive: true, verbatimSymlinks: true });
    const source = new Recorder(openLocalSource(goldenPath));
    for (const options of [{ subpaths: ['/etc'] }, { commitMetadataOnly: true }]) {
      assert.equal((await pull(path, source, os, options)).image, image);
    }
    assert.equal(source.count, 0);
  });

  test('is a base for other commits', async () => {
    const path = freshRepository();
    await pullPart(path, goldenPath, newest, { commitMetadataOnly: true });
    await pullPart(path, goldenPath, os, { subpaths: ['/usr/share'] });
    const result = await pull(path, goldenPath, middle, { base: os });
    assert(result.filesReused > 100, String(result.filesReused));
  });

  test('keeps what it holds from garbage collection, and fsck sees what goes missing', async () => {
    using repository = await Repository.open(copy());
    const { objectsRemoved, streamsPruned } = await collectGarbage(repository);
    assert.deepEqual([objectsRemoved, streamsPruned], [0, 0]);
    await assertSound(repository);
    const [, { object }] = [...readCommit(repository, newest).content.entries()].find((each) => each[1].object)!;
    rmSync(join(repository.path, 'objects', object!.slice(0, 2), object!.slice(2)));
    const { problems } = await checkRepository(repository);
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['missing-object-ref'],
    );
    const mended = new Recorder(openLocalSource(goldenPath));
    await pullPart(repository.path, mended, os, { subpaths: ['/etc'] });
    assert.equal(mended.files.length, 1 + 1, 'the lost file, and that of /etc');
    await assertSound(repository);
  });

  test('is a finding of fsck if it names an image', async () => {
    using repository = await Repository.open(copy());
    const stored = readCommit(repository, newest);
    const id = await createSubtreeImage(repository, newest, '/usr/share', 'share');
    using transaction = await repository.begin();
    const objects = new Map(stored.content.entries());
    const bytes = await encodeCommitStream(repository.algorithm, newest, objects, true)([{ id }]);
    transaction.linkStream(streamName(newest), transaction.storeBytes(bytes));
    await transaction.commit();
    const { problems } = await checkRepository(repository, {
      streams: commitKnowledge(repository),
    });
    assert.deepEqual(
      problems.map(({ detail }) => detail),
      [`is a partial commit, but names image ${id}`],
    );
    await pullPart(repository.path, goldenPath, os, { subpaths: ['/etc'] });
    await assertSound(repository);
  });

  test('gives an image of a directory that is there', async () => {
    using repository = await Repository.open(copy());
    const id = await createSubtreeImage(repository, newest, '/usr/share/', 'share');
    const opened = await Repository.open(whole);
    const wanted = await storedTree(readCommit(opened, newest), '/usr/share');
    assert.equal(formatDump(readImage(readObject(repository, id))), formatDump(wanted));
    await assert.rejects(createSubtreeImage(repository, newest, '/none', 'x'), { code: 'NOT_FOUND' });
    await assert.rejects(createSubtreeImage(repository, newest, '/usr/share/third', 'x'), {
      code: 'NOT_FOUND',
      message: /file/,
    });
    await assert.rejects(createSubtreeImage(repository, newest, '/etc', 'x'), { code: 'PARTIAL' });
    await assert.rejects(createSubtreeImage(repository, newest, 'etc', 'x'), { code: 'USAGE' });
    untagCommit(repository, os);
    await collectGarbage(repository);
    await assertSound(repository);
    assert.equal(readObject(repository, id).length > 0, true);
  });

  test('tells of paths that the commit does not have, and refuses those that are none', async () => {
    const notes: string[] = [];
    const onNote = (text: string): void => void notes.push(text);
    await pullPart(freshRepository(), goldenPath, os, { subpaths: ['/etc', '/none/x', '/etc/hostname/x'], onNote });
    assert.deepEqual(notes, [`Commit ${newest} has no /none/x`, `Commit ${newest} has no /etc/hostname/x`]);
    for (const path of ['usr', '/usr/..']) {
      await assert.rejects(pullPart(freshRepository(), goldenPath, os, { subpaths: [path] }), { code: 'USAGE' });
    }
  });

  test(
    'is nothing that composefs-rs takes for whole, and the rest of the repository stays usable',
    { skip: skipWithoutCfsctl },
    async () => {
      const path = copy();
      await pull(path, goldenPath, 'golden/single');
      const call = (...args: readonly string[]): { status: number | null; out: string } => {
        const { status, stdout, stderr } = spawnSync(cfsctl!, ['--insecure', `--repo=${path}`, ...args], {
          encoding: 'utf8',
        });
        return { status, out: stdout + stderr };
      };
      assert.match(call('fsck').out, /status: ok/);
      assert.match(call('ostree', 'images').out, new RegExp(`${os}.*${newest}`));
      assert.match(call('ostree', 'inspect', os).out, new RegExp(newest));
      assert.match(call('gc').out, /Objects: 0 removed/);
      for (const args of [
        ['ostree', 'dump', os],
        ['ostree', 'compute-id', os],
        ['ostree', 'mount', os, path],
        ['ostree', 'pull-local', goldenPath, os],
      ]) {
        const { status, out } = call(...args);
        assert.notEqual(status, 0, out);
      }
      assert.equal(call('ostree', 'dump', 'golden/single').status, 0);
      assert.match(call('fsck').out, /status: ok/);
      assert.equal((await pull(path, goldenPath, os)).image, image);
      assert.equal(call('ostree', 'dump', os).status, 0);
    },
  );
});

describe('pullCommit() of parents', () => {
  test('reads each object once, and gives every commit what a pull of it alone does', async () => {
    const path = freshRepository();
    const source = new Recorder(openLocalSource(goldenPath));
    const result = await pull(path, source, os, { depth: -1 });
    assert.deepEqual(result.parents, [middle, oldest]);
    const asked = [...source.metadata, ...source.files];
    assert.equal(new Set(asked).size, asked.length);
    assert.equal(result.metadataFetched + result.filesFetched, asked.length);
    using repository = await Repository.open(path);
    for (const commit of [newest, middle, oldest]) {
      const alone = await pull(freshRepository(), goldenPath, commit);
      const { image, stream } = readCommit(repository, commit);
      assert.deepEqual([image, stream], [alone.image, alone.stream]);
    }
    await assertSound(repository);
  });

  test('keeps them until the ref goes', async () => {
    using repository = await Repository.open(freshRepository());
    await pull(repository.path, goldenPath, os, { depth: 1 });
    assert.deepEqual(
      listCommits(repository).map(({ name }) => name),
      [os],
    );
    assert.equal((await collectGarbage(repository)).streamsPruned, 0);
    assert.equal(readCommit(repository, middle).content.partial, false);
    await tagCommit(repository, newest, 'other');
    untagCommit(repository, os);
    assert((await collectGarbage(repository)).objectsRemoved > 0);
    assert.throws(() => readCommit(repository, middle), { code: 'NOT_FOUND' });
    await assertSound(repository);
  });

  test('ends without an error where the source lacks the next one', async () => {
    const source = freshPath();
    cpSync(goldenPath, source, { recursive: true });
    rmSync(join(source, 'objects', loosePath('commit', oldest, true)));
    const result = await pull(freshRepository(), source, os, { depth: -1 });
    assert.deepEqual(result.parents, [middle]);
  });

  test('ends without an error where a server lacks the next one, and asks for no object twice', async (t) => {
    const next = loosePath('commit', oldest, true);
    const server = await FaultyServer.start({
      files: goldenPath,
      fault: ({ path }) => (path === `objects/${next}` ? { kind: 'status', status: 404 } : undefined),
    });
    t.after(() => server[Symbol.asyncDispose]());
    const path = freshRepository();
    const options = { subpaths: ['/usr/share'], depth: -1 };
    const result = await pullPart(path, openHttpSource(server.url, quick), os, { ...options, deltas: 'never' });
    assert.deepEqual(result.parents, [middle]);
    const asked = server.requests.flatMap((each) => (each.path.startsWith('objects/') ? [each.path] : []));
    assert.equal(new Set(asked).size, asked.length);
    using repository = await Repository.open(path);
    const local = freshRepository();
    await pullPart(local, goldenPath, os, { ...options, depth: 1 });
    using other = await Repository.open(local);
    assert.deepEqual(visible(repository), visible(other));
    await assertSound(repository);
  });

  test('goes on with those that are stored where the source lacks them', async () => {
    const source = freshPath();
    cpSync(goldenPath, source, { recursive: true });
    for (const commit of [middle, oldest]) rmSync(join(source, 'objects', loosePath('commit', commit, true)));
    const path = freshRepository();
    await pull(path, goldenPath, middle);
    assert.deepEqual((await pull(path, source, os, { depth: -1 })).parents, [middle]);
  });

  test('makes nothing visible if an object of a parent is bad', async () => {
    const source = freshPath();
    cpSync(goldenPath, source, { recursive: true });
    const recorder = new Recorder(openLocalSource(goldenPath));
    await pull(freshRepository(), recorder, os);
    const parent = new Recorder(openLocalSource(goldenPath));
    await pull(freshRepository(), parent, middle);
    const only = parent.files.find((file) => !recorder.files.includes(file))!;
    rmSync(join(source, 'objects', loosePath('file', only, true)));
    using repository = await Repository.open(freshRepository());
    await assert.rejects(pull(repository.path, source, os, { depth: 1 }), {
      code: 'NOT_FOUND',
      message: new RegExp(only),
    });
    assert.deepEqual(listCommits(repository), []);
  });
});
