/** Pulls where there is little room: refused before content is fetched, or ended cleanly, and resumed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CfsError } from '../../bytes/errors.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { explainFull, measureSpace, spaceBudget, storedSize, takeSpace } from '../../src/pull/space.ts';
import { pullCommit } from '../../src/pull/pull.ts';
import { planPull } from '../../src/pull/dry-run.ts';
import type { Progress } from '../../src/progress.ts';
import { Repository } from '../../src/repository/repository.ts';
import { Variant } from '../../gvariant/src/value.ts';
import { openHttpSource } from '../../ostree/http/source.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { quick } from '../ostree/http/open-transport.ts';
import { needs } from '../needs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, expected, fixture, objectNames, pull, Recorder, visible } from './support.ts';

const sized = fixture('sized-repo');
const checksum = expected.commits['3']!;

/** More than there is. */
const everything = { bytes: 2 ** 50 };

describe('measureSpace()', () => {
  test('counts what is kept free in bytes or parts of the whole', () => {
    const { bavail, blocks, bsize } = statfsSync(tmpdir());
    assert.deepEqual(measureSpace(tmpdir(), { bytes: 7 }).reserve, 7);
    const { free, reserve } = measureSpace(join(tmpdir(), 'none/below'), { percent: 3 });
    assert.equal(reserve, Math.ceil(blocks * bsize * 0.03));
    assert(Math.abs(free - bavail * bsize) < 2 ** 30);
  });
});

describe('takeSpace()', () => {
  test('asks the file system when the budget is used up, and refuses what does not fit', () => {
    const path = freshRepository();
    const { free } = measureSpace(path, { bytes: 0 });
    const budget = spaceBudget(path, { free: 8192, reserve: 0 });
    const left = (): bigint => new BigInt64Array(budget.left)[0]!;
    takeSpace(budget, checksum, 1);
    assert.equal(left(), 4096n);
    takeSpace(budget, checksum, 4096);
    assert.equal(left(), 0n);
    takeSpace(budget, checksum, 4097);
    assert(left() > 8192n);
    assert.throws(() => takeSpace(budget, checksum, free * 2), { code: 'NO_SPACE', message: new RegExp(checksum) });
  });

  test('takes whole blocks', () => {
    assert.deepEqual([0, 1, 4096, 4097].map(storedSize), [0, 4096, 4096, 8192]);
  });
});

test('explainFull() says what is missing, and leaves other errors as they are', () => {
  const path = freshRepository();
  const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
  const { free } = measureSpace(path, { bytes: 0 });
  const explained = explainFull(full, path, free + 5_000_000) as CfsError;
  assert.equal(explained.code, 'NO_SPACE');
  assert.equal(explained.cause, full);
  assert(Math.abs(Number(explained.facts['lacking']) - 5_000_000) < 2 ** 24);
  assert.match((explainFull(full, path, undefined) as Error).message, /pull again/);
  const other = new Error('other');
  assert.equal(explainFull(other, path, 1), other);
});

describe('pullCommit() where there is little room', () => {
  test('refuses before any content is read what the sizes of the commit say', async () => {
    using repository = await Repository.open(freshRepository());
    const source = new Recorder(openLocalSource(sized));
    await assert.rejects(pull(repository.path, source, 'sized', { minFreeSpace: everything }), (error) => {
      assert(error instanceof CfsError && error.code === 'NO_SPACE');
      assert.match(
        error.message,
        /commit \w+ .* \d+ bytes are needed, .* MiB are free, .* are kept free.*more and pull again/,
      );
      const { needed, reserve, lacking } = error.facts;
      assert(Number(needed) > 28_894 && Number(needed) < 60_000, String(needed));
      assert.equal(reserve, everything.bytes);
      assert(Number(lacking) > 0);
      return true;
    });
    assert.deepEqual(source.files, []);
    assert.deepEqual(objectNames(repository.path), []);
    await pull(repository.path, sized, 'sized', { minFreeSpace: { bytes: 0 } });
    // What is stored needs no room.
    await pull(repository.path, sized, 'sized', { minFreeSpace: everything });
  });

  test('does without sizes that are damaged, and says so', async () => {
    using source = new HandmadeCommits();
    const file = source.file(Buffer.alloc(1000));
    const tree = source.dirTree([['file', file]]);
    const commit = source.commitOf(tree, { metadata: [['ostree.sizes', new Variant('aay', [new Uint8Array(5)])]] });
    const notes: string[] = [];
    await pull(freshRepository(), source.path, commit, { onNote: (text) => void notes.push(text) });
    assert.match(notes.join(), /^The sizes that commit .* are not used: .*only 5 bytes/);
  });

  test('tells all bytes of content with its progress', async () => {
    const seen: Progress[] = [];
    await pull(freshRepository(), sized, 'sized', { onProgress: (progress) => void seen.push(progress) });
    const metadata = seen.findLast(({ phase }) => phase === 'metadata')!;
    assert.deepEqual([metadata.done, metadata.total], [6, 6]);
    const content = seen.filter(({ phase }) => phase === 'content');
    assert.equal(content.at(0)?.total, 5);
    const { done, bytes, bytesTotal } = content.at(-1)!;
    assert.equal(done, 5);
    assert.equal(bytesTotal, bytes! + 1, 'the target of the symlink counts as content');
  });
});

describe('a small file system', { skip: needs('root', 'loop devices', 'mkfs.ext4', 'resize2fs') }, () => {
  let top: string;
  let mount: string;
  const call = (...[program, ...args]: [string, ...string[]]): void => {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  };
  before(() => {
    top = mkdtempSync(join(tmpdir(), 'cfs-space-'));
    mount = join(top, 'mount');
    writeFileSync(join(top, 'disk'), '');
    truncateSync(join(top, 'disk'), 3 * 2 ** 20);
    call('mkfs.ext4', '-q', '-m', '0', '-O', '^has_journal', join(top, 'disk'));
    call('mkdir', mount);
    call('mount', '-o', 'loop', join(top, 'disk'), mount);
  });
  after(() => {
    spawnSync('umount', [mount]);
    rmSync(top, { recursive: true });
  });

  test('is told of by the first file that does not fit, where the commit says nothing or too little', async () => {
    using source = new HandmadeCommits();
    const file = source.file(Buffer.alloc(5_000_000, 'x'));
    const tree = source.dirTree([['file', file]]);
    const entry = Buffer.concat([Buffer.from(file, 'hex'), Buffer.from([1, 1, 1])]);
    const path = join(mount, 'small');
    Repository.init(path, { algorithm: 'sha256', insecure: true });
    for (const entries of [[], [entry]]) {
      const commit = source.commitOf(tree, { metadata: [['ostree.sizes', new Variant('aay', entries)]] });
      await assert.rejects(pull(path, source.path, commit), {
        code: 'NO_SPACE',
        message: new RegExp(`file object ${file}`),
      });
    }
    rmSync(path, { recursive: true });
  });

  test('is filled up to the reserve or the brim, and the pull goes on once there is more room', async () => {
    const path = join(mount, 'repository');
    Repository.init(path, { algorithm: 'sha256', insecure: true });
    for (const minFreeSpace of [{ percent: 20 }, { bytes: 0 }]) {
      await assert.rejects(pull(path, goldenPath, checksum, { minFreeSpace }), { code: 'NO_SPACE' });
      const { bavail, blocks } = statfsSync(path);
      if ('percent' in minFreeSpace) assert(bavail / blocks > 0.19, `${bavail} of ${blocks}`);
      using repository = await Repository.open(path);
      await assertClean(repository);
    }
    call('umount', mount);
    truncateSync(join(top, 'disk'), 32 * 2 ** 20);
    call('e2fsck', '-fp', join(top, 'disk'));
    call('resize2fs', join(top, 'disk'));
    call('mount', '-o', 'loop', join(top, 'disk'), mount);
    const { content, image } = await pull(path, goldenPath, checksum);
    assert(content.present > 10, JSON.stringify(content));
    assert.equal(image, (await pull(freshRepository(), goldenPath, checksum)).image);
    using repository = await Repository.open(path);
    await assertClean(repository);
  });
});

describe('planPull()', () => {
  const plan = async (path: string, from: string, name: string, options = {}): ReturnType<typeof planPull> => {
    using repository = await Repository.open(path);
    using source = openLocalSource(from);
    return await planPull(repository, source, name, options);
  };

  test('tells what the pull then does, and writes nothing', async () => {
    for (const options of [{}, { depth: -1 }, { subpaths: ['/usr/share'], depth: 1 }, { commitMetadataOnly: true }]) {
      const path = freshRepository();
      await pull(path, goldenPath, expected.commits['2']!);
      using repository = await Repository.open(path);
      const before = [visible(repository), objectNames(path)];
      const planned = await plan(path, goldenPath, 'golden/x86_64/os', options);
      assert.deepEqual([visible(repository), objectNames(path)], before);
      using source = openLocalSource(goldenPath);
      const pulled = await pullCommit(repository, source, 'golden/x86_64/os', options);
      const { commit, ref, parents, partial, fetch } = planned;
      assert.deepEqual(
        { commit, ref, parents, partial, metadata: fetch.metadata, files: fetch.files },
        {
          commit: pulled.commit,
          ref: pulled.ref,
          parents: pulled.parents,
          partial: pulled.partial,
          metadata: pulled.metadataFetched,
          files: pulled.filesFetched,
        },
      );
    }
  });

  test('keeps nothing of what it read over a network', async (t) => {
    const server = await FaultyServer.start({ files: goldenPath });
    t.after(() => server[Symbol.asyncDispose]());
    const path = freshRepository();
    using repository = await Repository.open(path);
    const asked = (): string[] =>
      server.requests.splice(0).flatMap((each) => (each.path.endsWith('.dirtree') ? [each.path] : []));
    for (let i = 0; i < 2; i++) {
      using source = openHttpSource(server.url, quick);
      const { fetch } = await planPull(repository, source, checksum, { deltas: 'never' });
      assert.deepEqual([fetch.metadata, fetch.files], [44, 348]);
      assert(asked().length > 30);
    }
    assert(!existsSync(join(path, 'objects')));
  });

  test('counts each object of several commits once', async () => {
    const { fetch, stored } = await plan(freshRepository(), goldenPath, 'golden/x86_64/os', { depth: -1 });
    assert.deepEqual([fetch.metadata + fetch.files, stored], [440, { metadata: 0, files: 0 }]);
  });

  test('tells bytes where the commit does', async () => {
    const planned = await plan(freshRepository(), sized, 'sized');
    assert.deepEqual([planned.fetch.files, planned.fetch.content, planned.space.complete], [5, 29_896, true]);
    assert(planned.fetch.bytes! > 0 && planned.space.needed > 29_896);
    const unknown = await plan(freshRepository(), goldenPath, checksum);
    assert.deepEqual(
      [unknown.fetch.bytes, unknown.fetch.content, unknown.space.complete],
      [undefined, undefined, false],
    );
  });
});
