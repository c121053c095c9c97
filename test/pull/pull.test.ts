/** What a pull fetches, reuses, writes and names. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { commitOfRef, findCommit, listCommits, readCommit, untagCommit } from '../../src/commit/stored.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { formatMetadata, newMetadata } from '../../src/repository/metadata.ts';
import type { Progress } from '../../src/progress.ts';
import { objectPath } from '../../src/verity/object-id.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, expected, objectNames, pull, Recorder, visible } from './support.ts';

const execute = promisify(execFile);
const os = 'golden/x86_64/os';
const commits = expected.commits;

/** Pulls, and gives the result and what was asked of the source. */
async function recorded(...[path, from, name, options]: Parameters<typeof pull>): ReturnType<typeof result> {
  return result(new Recorder(openLocalSource(from as string)));
  async function result(recorder: Recorder): Promise<{ pulled: Awaited<ReturnType<typeof pull>>; asked: Recorder }> {
    const pulled = await pull(path, recorder, name, options);
    assert.equal(recorder.metadata.length, pulled.metadataFetched);
    assert.equal(new Set(recorder.metadata).size, recorder.metadata.length, 'an object was read twice');
    return { pulled, asked: recorder };
  }
}

test('a second pull fetches and writes nothing, and gives the same', async () => {
  const path = freshRepository();
  const first = await recorded(path, goldenPath, os);
  const objects = objectNames(path);
  assert.equal(first.asked.files.length, first.pulled.filesFetched);
  assert(first.pulled.bytesWritten > 0 && first.pulled.content.written > 0 && first.pulled.content.inline > 0);
  const again = await recorded(path, goldenPath, os);
  assert.equal(again.asked.count, 0);
  assert.deepEqual(again.pulled, {
    ...first.pulled,
    metadataFetched: 0,
    filesFetched: 0,
    filesReused: first.pulled.filesFetched,
    bytesWritten: 0,
    content: { inline: 0, written: 0, reflinked: 0, present: 0 },
  });
  assert.deepEqual(objectNames(path), objects);
  using repository = await Repository.open(path);
  await assertClean(repository);
});

test('a fresh pull leaves no garbage', async () => {
  const path = freshRepository();
  await pull(path, goldenPath, os);
  using repository = await Repository.open(path);
  const { objectsRemoved, streamsPruned, imagesPruned } = await collectGarbage(repository);
  assert.deepEqual([objectsRemoved, streamsPruned, imagesPruned], [0, 0, 0]);
});

test('a pull of a stored commit under another ref writes that ref and fetches nothing', async () => {
  using source = new HandmadeCommits();
  const commit = source.commitFiles(['file', source.file(Buffer.alloc(1000, 'x'))]);
  source.ref('one', commit);
  source.ref('two/three', commit);
  const path = freshRepository();
  await pull(path, source.path, 'one');
  const { pulled, asked } = await recorded(path, source.path, 'two/three');
  assert.equal(asked.count, 0);
  assert.equal(pulled.ref, 'two/three');
  using repository = await Repository.open(path);
  assert.deepEqual(listCommits(repository), [
    { name: 'one', commit },
    { name: 'two/three', commit },
  ]);
});

test('what is pulled by commit id, by its beginning, or by REF^ is kept under its id until it is untagged', async () => {
  const path = freshRepository();
  for (const name of [commits['3']!, commits['3']!.slice(0, 10), `${os}^`, `${commits['3']}^`]) {
    assert.equal((await pull(path, goldenPath, name)).ref, undefined);
  }
  using repository = await Repository.open(path);
  const ids = [commits['2']!, commits['3']!];
  assert.deepEqual(
    listCommits(repository),
    ids.map((id) => ({ name: id, commit: id })),
  );
  await collectGarbage(repository);
  untagCommit(repository, commits['2']!);
  await collectGarbage(repository);
  assert.equal(findCommit(repository, commits['2']!), undefined);
  assert.notEqual(findCommit(repository, commits['3']!), undefined);
  assert.equal((await pull(path, goldenPath, os)).ref, os);
  assert.equal(commitOfRef(repository, os), commits['3']);
});

describe('objects of stored commits are not fetched:', () => {
  let alone: Awaited<ReturnType<typeof recorded>>;
  before(async () => {
    alone = await recorded(freshRepository(), goldenPath, commits['3']!);
  });

  /** Pulls commit 3 as `name` after `prepare`; fewer objects than without must be fetched, and the result must be the same. */
  async function spared(name: string, prepare: (path: string) => Promise<unknown>, base?: string): Promise<void> {
    const path = freshRepository();
    await prepare(path);
    const { pulled, asked } = await recorded(path, goldenPath, name, base === undefined ? {} : { base });
    assert(
      asked.files.length < alone.asked.files.length / 2,
      `${asked.files.length} of ${alone.asked.files.length} files`,
    );
    assert(asked.metadata.length < alone.asked.metadata.length);
    assert.equal(pulled.filesReused, alone.asked.files.length - asked.files.length);
    assert.deepEqual([pulled.image, pulled.stream], [alone.pulled.image, alone.pulled.stream]);
    using repository = await Repository.open(path);
    await assertClean(repository);
  }

  test('the parent', () => spared(commits['3']!, (path) => pull(path, goldenPath, commits['2']!)));

  test('the old commit of the ref', async () => {
    using source = new HandmadeCommits();
    const kept = Array.from({ length: 20 }, (_, i) => [`f${i + 10}`, source.file(Buffer.alloc(500, `${i} `))] as const);
    source.ref('moving', source.commitFiles(...kept));
    const path = freshRepository();
    await pull(path, source.path, 'moving');
    const added = source.file(Buffer.from('new'));
    const second = source.commitFiles(...kept, ['new', added]);
    source.ref('moving', second);
    const { pulled, asked } = await recorded(path, source.path, 'moving');
    assert.deepEqual(asked.files, [added]);
    assert.deepEqual([pulled.commit, pulled.filesReused], [second, 20]);
    using repository = await Repository.open(path);
    assert.equal(commitOfRef(repository, 'moving'), second);
  });

  test('a base by commit id', () =>
    spared(commits['3']!, (path) => pull(path, goldenPath, commits['1']!), commits['1']));
  test('a base by ref', async () => {
    const path = freshRepository();
    await pull(path, goldenPath, 'golden/plain');
    const { pulled, asked } = await recorded(path, goldenPath, os, { base: 'golden/plain' });
    // Only what has no xattrs is the same.
    assert(pulled.filesReused > 0 && asked.files.length < alone.asked.files.length);
    assert.deepEqual([pulled.image, pulled.stream], [alone.pulled.image, alone.pulled.stream]);
  });

  test('an unknown base is an error', async () => {
    await assert.rejects(pull(freshRepository(), goldenPath, os, { base: 'no/such' }), {
      code: 'NOT_FOUND',
      message: /Base 'no\/such'/,
    });
  });

  test('a base that is not stored does no harm', async () => {
    const { pulled } = await recorded(freshRepository(), goldenPath, os, { base: commits['1']! });
    assert.equal(pulled.image, alone.pulled.image);
  });
});

test('any number of threads gives the same', async () => {
  const results = [];
  for (const threads of [1, 2, 4]) {
    const path = freshRepository();
    using source = new HandmadeCommits();
    // Enough for workers to start.
    const files = Array.from(
      { length: 1000 },
      (_, i) => [`f${i + 1000}`, source.file(Buffer.alloc(i, `${i} `))] as const,
    );
    const pulled = await pull(path, source.path, source.commitFiles(...files), { threads });
    using repository = await Repository.open(path);
    await assertClean(repository);
    results.push([pulled, objectNames(path)]);
  }
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
});

test('every format that the repository writes is made, and named by the stream', async () => {
  const path = freshRepository();
  const metadata = newMetadata('sha256');
  writeFileSync(join(path, 'meta.json'), formatMetadata({ ...metadata, erofsFormats: { default: 1, extra: [0, 2] } }));
  using repository = await Repository.open(path);
  const images = expected.images['plain']!.sha256;
  for (const [erofsVersion, order] of [
    [undefined, ['v1', 'v0', 'v2']],
    [2, ['v2', 'v0']],
    [0, ['v0', 'v2']],
    [1, ['v1', 'v0', 'v2']],
  ] as const) {
    await pull(path, goldenPath, 'golden/plain', { erofsVersion });
    const named = readCommit(repository, commits['plain']!).images;
    assert.deepEqual(
      named,
      order.map((version) => images[version]),
    );
    await collectGarbage(repository);
    await assertClean(repository);
    // Images without a root of their own are unlinked, or kept: their objects stay, as the stream names them.
    const objects = objectNames(path);
    for (const id of named) assert(objects.includes(objectPath(id)));
  }
});

test('another format of a stored commit replaces the image without fetching', async () => {
  const path = freshRepository();
  const images = expected.images['plain']!.sha256;
  for (const version of [1, 0, 2, 1] as const) {
    const { pulled, asked } = await recorded(path, goldenPath, 'golden/plain', { erofsVersion: version });
    assert.equal(pulled.image, images[`v${version}`]);
    if (version !== 1) assert.equal(asked.count, 0);
    using repository = await Repository.open(path);
    assert.equal(readCommit(repository, commits['plain']!).image, pulled.image);
    await assertClean(repository);
  }
});

test('progress goes through all phases and ends with everything done', async () => {
  const seen: Progress[] = [];
  const result = await pull(freshRepository(), goldenPath, os, { onProgress: (progress) => seen.push(progress) });
  const phases = [...new Set(seen.map(({ phase }) => phase))];
  assert.deepEqual(phases, ['metadata', 'content', 'image', 'sync']);
  const last = (phase: string): Progress => seen.findLast((progress) => progress.phase === phase)!;
  assert.equal(last('metadata').done, result.metadataFetched);
  const { done, total, bytes } = last('content');
  assert.deepEqual([done, total], [result.filesFetched, result.filesFetched]);
  assert(bytes! >= result.bytesWritten);
});

describe('AbortSignal', () => {
  let source: HandmadeCommits;
  let commit: ReturnType<HandmadeCommits['commitFiles']>;
  before(() => {
    source = new HandmadeCommits();
    const files = Array.from(
      { length: 800 },
      (_, i) => [`f${i + 1000}`, source.file(Buffer.alloc(1000 + i, `${i} `))] as const,
    );
    commit = source.commitFiles(...files);
  });
  after(() => source[Symbol.dispose]());

  for (const threads of [1, 3]) {
    for (const phase of ['metadata', 'content', 'image', 'sync'] as const) {
      test(`stops a pull with ${threads} threads in the phase ${phase}, and nothing is visible`, async () => {
        const path = freshRepository();
        await pull(path, goldenPath, 'golden/single');
        using repository = await Repository.open(path);
        const before = visible(repository);
        const controller = new AbortController();
        const reason = new Error('enough');
        const onProgress = (progress: Progress): void => {
          if (progress.phase === phase) controller.abort(reason);
        };
        await assert.rejects(
          pull(path, source.path, commit, { signal: controller.signal, threads, onProgress }),
          (error) => error === reason,
        );
        assert.deepEqual(visible(repository), before);
        await assertClean(repository);
        const { image } = await pull(path, source.path, commit, { threads });
        assert.match(image, /^[0-9a-f]{64}$/);
        await assertClean(repository);
      });
    }
  }

  test('aborted from the start, a pull does nothing', async () => {
    const path = freshPath();
    Repository.init(path, { insecure: true });
    await assert.rejects(pull(path, source.path, commit, { signal: AbortSignal.abort(new Error('no')) }));
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  test('a timer can stop a pull while its metadata or a large file is read', async () => {
    using large = new HandmadeCommits();
    const big = large.commitFiles(['big', large.file(Buffer.alloc(300 << 20))]);
    const trees = Array.from({ length: 4000 }, (_, i) => large.dirTree([], [[`${i}`, large.empty, large.meta]]));
    const tree = large.dirTree(
      [],
      trees.map((each, i) => [`${i + 10_000}`, each, large.meta]),
    );
    for (const [name, delay] of [
      [big, 100],
      [large.commitOf(tree), 5],
    ] as const) {
      const start = performance.now();
      const signal = AbortSignal.timeout(delay);
      await assert.rejects(pull(freshRepository(), large.path, name, { signal }), (error) => error === signal.reason);
      assert(performance.now() - start < 1500, `${performance.now() - start} ms`);
    }
  });
});

test('several pulls into one repository at a time, in and out of this process, do not disturb each other', async () => {
  using source = new HandmadeCommits();
  const entries = Array.from(
    { length: 300 },
    (_, i) => [`f${i + 1000}`, source.file(Buffer.alloc(300 + i, `${i} `))] as const,
  );
  const wanted = [
    source.commitFiles(...entries),
    source.commitFiles(...entries.slice(100)),
    source.commitFiles(...entries.slice(0, 200)),
  ];
  const path = freshRepository();
  const child = join(import.meta.dirname, 'pull-child.ts');
  const children = wanted.map((commit) => execute(process.execPath, [child, path, source.path, commit, '2']));
  const here = await Promise.all(wanted.map((commit) => pull(path, source.path, commit)));
  for (const [i, { stdout }] of (await Promise.all(children)).entries()) {
    const { outcome } = JSON.parse(stdout) as { outcome: { result?: { image: string; stream: string } } };
    assert.deepEqual([outcome.result?.image, outcome.result?.stream], [here[i]!.image, here[i]!.stream]);
  }
  using repository = await Repository.open(path);
  await assertClean(repository);
});
