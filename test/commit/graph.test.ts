import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFileSync } from 'node:fs';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { selectPaths } from '../../src/commit/subpaths.ts';
import { readCommitGraph, type CommitGraph, type ReadMetadata } from '../../src/commit/graph.ts';
import { goldenBytes } from '../ostree/golden.ts';
import { HandmadeCommits } from '../pull/handmade-commit.ts';
import { expected } from '../pull/support.ts';

function reader(repository: HandmadeCommits): ReadMetadata {
  return (type, checksum) => readFileSync(repository.pathOf(type, checksum));
}

/** Every commit, dirtree and dirmeta of the golden repository. */
const golden = new Map(
  (['commit', 'dirtree', 'dirmeta'] as const).flatMap((type) =>
    goldenBytes(type).map(({ checksum, bytes }) => [`${checksum}.${type}`, bytes] as const),
  ),
);

function summary({ checksum, dirtrees, dirmetas, files, objects }: CommitGraph): unknown {
  return [
    checksum,
    [...dirtrees.keys()].toSorted(),
    [...dirmetas.keys()].toSorted(),
    [...files].toSorted(),
    objects.size,
  ];
}

describe('readCommitGraph()', () => {
  test('reads every object of a commit once, in this thread or as many as answers come', async () => {
    for (const commit of Object.values(expected.commits)) {
      const results = [];
      for (const [concurrency, delay] of [
        [1, 0],
        [1, 1],
        [8, 1],
      ] as const) {
        const read: string[] = [];
        let running = 0;
        const graph = await readCommitGraph(
          commit,
          (type, checksum) => {
            read.push(`${checksum}.${type}`);
            const bytes = golden.get(`${checksum}.${type}`)!;
            if (delay === 0) return bytes;
            assert(++running <= concurrency);
            return new Promise((resolve) => {
              setTimeout(() => {
                running--;
                resolve(bytes);
              }, Math.random() * delay);
            });
          },
          { concurrency },
        );
        assert.equal(new Set(read).size, read.length);
        assert.equal(graph.objects.size, read.length);
        results.push(summary(graph));
      }
      assert.deepEqual(results[1], results[0]);
      assert.deepEqual(results[2], results[0]);
    }
  });

  test('ends though the last answer comes while it lets others run', async () => {
    const read: ReadMetadata = (type, checksum) => {
      const bytes = golden.get(`${checksum}.${type}`)!;
      // Longer than it goes on before it lets others run.
      for (const end = performance.now() + 60; performance.now() < end;);
      return new Promise((resolve) => {
        setImmediate(resolve, bytes);
      });
    };
    const graph = await readCommitGraph(expected.commits['empty']!, read, { concurrency: 8 });
    assert.equal(graph.files.size, 0);
  });

  test('throws the first error, and leaves no rejection unhandled', async () => {
    const commit = expected.commits['3']!;
    let count = 0;
    await assert.rejects(
      readCommitGraph(
        commit,
        async (type, checksum) => {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
          if (++count > 4) throw new Error(`no ${type}`);
          return golden.get(`${checksum}.${type}`)!;
        },
        { concurrency: 8 },
      ),
      /no dir/,
    );
    // What still runs may fail too.
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('leaves no rejection unhandled when it is aborted before any answer', async () => {
    const commit = expected.commits['3']!;
    const controller = new AbortController();
    let reads = 0;
    await assert.rejects(
      readCommitGraph(
        commit,
        (type, checksum) => {
          if (++reads === 1) return golden.get(`${checksum}.${type}`)!;
          controller.abort();
          return new Promise((_, reject) => {
            setTimeout(() => reject(new Error('aborted')), 5);
          });
        },
        { concurrency: 8, signal: controller.signal },
      ),
      { name: 'AbortError' },
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('stops reading when there are more bytes of metadata than the limit', async () => {
    const commit = expected.commits['3']!;
    const read: ReadMetadata = (type, checksum) => golden.get(`${checksum}.${type}`)!;
    const { objects } = await readCommitGraph(commit, read);
    const size = [...objects.values()].reduce((sum, { length }) => sum + length, 0);
    assert.equal((await readCommitGraph(commit, read, { limit: size })).objects.size, objects.size);
    await assert.rejects(readCommitGraph(commit, read, { limit: size - 1 }), { code: 'LIMIT' });
  });

  test('throws what is wrong with the bytes it is given', async () => {
    const commit = expected.commits['3']!;
    await assert.rejects(
      readCommitGraph(commit, () => Buffer.from('other')),
      { code: 'CHECKSUM', message: new RegExp(commit) },
    );
  });

  test('counts a tree that shares its parts', async () => {
    using repository = new HandmadeCommits();
    let tree = repository.dirTree();
    // 2^17 - 1 directories: within the limit, and none is looked at twice.
    for (let level = 0; level < 16; level++) {
      tree = repository.dirTree(
        [],
        [
          ['a', tree, repository.meta],
          ['b', tree, repository.meta],
        ],
      );
    }
    const graph = await readCommitGraph(repository.commitOf(tree), reader(repository));
    assert.equal(graph.dirtrees.size, 17);
    const two = repository.dirTree(
      [],
      Array.from({ length: 3 }, (_, i) => [`${i}`, tree, repository.meta] as const),
    );
    await assert.rejects(readCommitGraph(repository.commitOf(two), reader(repository)), { code: 'LIMIT' });
  });

  test('takes dirtrees that are met in any order, deep before shallow', async () => {
    using repository = new HandmadeCommits();
    const { meta, empty } = repository;
    const deep = repository.dirTree([], [['x', empty, meta]]);
    const deeper = repository.dirTree([], [['y', deep, meta]]);
    for (const order of [
      [deep, deeper, empty],
      [empty, deeper, deep],
      [deeper, empty, deep],
    ] as OstreeChecksum[][]) {
      const tree = repository.dirTree(
        [],
        order.map((each, i) => [`d${i}`, each, meta] as const),
      );
      const graph = await readCommitGraph(repository.commitOf(tree), reader(repository));
      assert.equal(graph.dirtrees.size, 4);
    }
  });

  test('reads each object once of any paths, also where directories are the same', async () => {
    using repository = new HandmadeCommits();
    const file = (text: string): OstreeChecksum => repository.file(Buffer.from(text));
    const other = repository.dirMeta({ mode: 0o040700 });
    const inner = repository.dirTree([['one', file('1')]]);
    const same = repository.dirTree(
      [
        ['two', file('2')],
        ['x', file('3')],
      ],
      [['inner', inner, repository.meta]],
    );
    const root = repository.dirTree(
      [],
      [
        ['a', same, repository.meta],
        ['b', same, other],
      ],
    );
    const commit = repository.commitOf(root);
    const objects = async (...paths: readonly string[]): Promise<[number, number, boolean]> => {
      const read: string[] = [];
      const graph = await readCommitGraph(
        commit,
        async (type, checksum) => {
          read.push(checksum);
          return Promise.resolve(readFileSync(repository.pathOf(type, checksum)));
        },
        { selection: selectPaths(paths), concurrency: 4 },
      );
      assert.equal(new Set(read).size, read.length);
      return [read.length, graph.files.size, graph.partial];
    };
    assert.deepEqual(await objects(), [3, 0, true]);
    assert.deepEqual(await objects('/none'), [3, 0, true]);
    assert.deepEqual(await objects('/a/two'), [4, 1, true]);
    assert.deepEqual(await objects('/a/two/below'), [4, 0, true]);
    assert.deepEqual(await objects('/a/two', '/b/x'), [5, 2, true]);
    assert.deepEqual(await objects('/a/two', '/b/inner'), [6, 2, true]);
    assert.deepEqual(await objects('/b', '/a/two'), [6, 3, false]);
    assert.deepEqual(await objects('/a'), [5, 3, true]);
    assert.deepEqual(await objects('/'), [6, 3, false]);
  });

  test('reads what is there of a commit that is stored in part', async () => {
    const commit = expected.commits['3']!;
    const read: ReadMetadata = (type, checksum) => golden.get(`${checksum}.${type}`)!;
    const part = await readCommitGraph(commit, read, { selection: selectPaths(['/usr/share']) });
    const has = (checksum: OstreeChecksum): boolean => part.objects.has(checksum) || part.files.has(checksum);
    const again = await readCommitGraph(
      commit,
      (type, checksum) => {
        assert(has(checksum));
        return read(type, checksum, AbortSignal.abort());
      },
      { selection: undefined, has },
    );
    assert.deepEqual(summary(again), summary(part));
    assert(again.partial);
  });

  test('ends the reads that nobody waits for any more', async () => {
    const signals: AbortSignal[] = [];
    const commit = expected.commits['3']!;
    await assert.rejects(
      readCommitGraph(
        commit,
        async (type, checksum, signal) => {
          signals.push(signal);
          if (type === 'dirmeta') throw new Error('gone');
          return type === 'commit' ? golden.get(`${checksum}.commit`)! : new Promise(() => undefined);
        },
        { concurrency: 8 },
      ),
      /gone/,
    );
    assert.equal(signals.length, 3);
    assert(signals.every(({ aborted }) => aborted));
  });
});
