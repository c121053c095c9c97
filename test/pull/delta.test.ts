/** Pulls by static delta: the same as by objects, whoever made the delta and however; and past every wrong one. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, test } from 'node:test';
import { DeltaFileSource } from '../../ostree/delta/file-source.ts';
import { Compression, deltaFolder, Op } from '../../ostree/delta/format.ts';
import { openHttpSource } from '../../ostree/http/source.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { PullOptions, PullResult } from '../../src/pull/pull.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import {
  encodeHandmadeSuperblock,
  encodePayload,
  op,
  plainPart,
  program,
  putDelta,
  type DeltaFacts,
  type Listed,
  type PartFacts,
} from '../ostree/delta/handmade-delta.ts';
import { goldenPath } from '../ostree/golden.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { quick, serveFolder } from '../ostree/http/open-transport.ts';
import { ostree } from '../ostree/real-ostree.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, expected, fixture, pull, visible } from './support.ts';

function pullOver(path: string, url: string, name: string, options: PullOptions = {}): Promise<PullResult> {
  return pull(path, openHttpSource(url, quick), name, options);
}

const ids = ({ commit, image, stream }: PullResult): unknown => ({ commit, image, stream });
const objectsAsked = ({ requests }: FaultyServer): string[] =>
  requests.map(({ path }) => path).filter((path) => path.startsWith('objects/'));

describe('pullCommit() by the golden deltas', () => {
  const steps = [
    ['1', '2'],
    ['2', '3'],
    [undefined, '3'],
  ] as const;
  for (const threads of [1, 2]) {
    for (const [from, to] of steps) {
      test(`gives the same ids from ${from ?? 'nothing'} to ${to}, with ${threads} threads`, async (t) => {
        const path = freshRepository();
        const base = from && expected.commits[from]!;
        if (base !== undefined) await pull(path, goldenPath, base);
        const server = await serveFolder(t, goldenPath);
        const result = await pullOver(path, server.url, expected.commits[to]!, { deltas: 'required', threads });
        assert.deepEqual(ids(result), ids(await pull(freshRepository(), goldenPath, expected.commits[to]!)));
        assert.equal(result.delta?.name, base === undefined ? expected.commits[to] : `${base}-${expected.commits[to]}`);
        assert.deepEqual(objectsAsked(server), []);
        using repository = await Repository.open(path);
        await assertClean(repository);
      });
    }
  }

  test('asks once for a delta that both the summary and the delta index list', async (t) => {
    const [from, to] = [expected.commits['1']!, expected.commits['2']!];
    const path = freshRepository();
    await pull(path, goldenPath, from);
    const server = await serveFolder(t, goldenPath);
    await pullOver(path, server.url, to, { deltas: 'required' });
    assert.deepEqual(
      server.requests.filter((request) => request.path.endsWith('/superblock')).map((request) => request.path),
      [`${deltaFolder(from, to)}/superblock`],
    );
  });

  test('asks for nothing of a commit that is stored', async (t) => {
    const server = await serveFolder(t, goldenPath);
    const path = freshRepository();
    await pullOver(path, server.url, expected.commits['3']!);
    server.requests.length = 0;
    await pullOver(path, server.url, expected.commits['3']!);
    assert.deepEqual(
      server.requests.map((request) => request.path),
      ['config'],
    );
  });

  test('uses deltas of repositories on disk only when asked to', async () => {
    const path = freshRepository();
    assert.equal((await pull(path, goldenPath, expected.commits['1']!)).delta, undefined);
    assert.notEqual((await pull(path, goldenPath, expected.commits['2']!, { deltas: 'required' })).delta, undefined);
  });

  test('applies a delta in one file, offline', async () => {
    const path = freshRepository();
    const source = new DeltaFileSource(fixture('single.delta'));
    const result = await pull(path, source, 'golden/single', { deltas: 'required' });
    assert.deepEqual(ids(result), ids(await pull(freshRepository(), goldenPath, 'golden/single')));
    assert.equal(result.ref, 'golden/single');
  });

  test('says which commit a delta needs', async () => {
    const [from, to] = [expected.commits['1']!, expected.commits['2']!];
    const source = new DeltaFileSource(join(goldenPath, deltaFolder(from, to)));
    await assert.rejects(pull(freshRepository(), source, to, { deltas: 'required' }), {
      code: 'NOT_FOUND',
      message: new RegExp(`Commit ${from}, which static delta .* is from, is not in`),
    });
  });

  test('says that there is none for a commit, if one is required', async (t) => {
    const server = await serveFolder(t, goldenPath);
    await assert.rejects(pullOver(freshRepository(), server.url, expected.commits['1']!, { deltas: 'required' }), {
      code: 'NOT_FOUND',
      message: /Static deltas required, but none found/,
    });
  });
});

describe('pullCommit() by deltas that ostree makes', { skip: needs('ostree', 'root') }, () => {
  let root: string;
  let repo: string;
  let commits: { readonly first: OstreeChecksum; readonly second: OstreeChecksum };
  let wanted: unknown;
  /** A repository with the first commit. */
  let base: string;
  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'cfs-delta-'));
    repo = join(root, 'repo');
    ostree('init', `--repo=${repo}`, '--mode=archive');
    const tree = join(root, 'tree');
    makeTree(tree, 1);
    const commit = (): OstreeChecksum =>
      ostree('commit', `--repo=${repo}`, '-b', 'test', `--tree=dir=${tree}`).trim() as OstreeChecksum;
    const first = commit();
    makeTree(tree, 2);
    commits = { first, second: commit() };
    wanted = ids(await pull(freshRepository(), repo, commits.second));
    base = freshRepository();
    await pull(base, repo, first);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const variants: readonly (readonly string[])[] = [
    [],
    ['--inline'],
    ['--disable-bsdiff'],
    ['--min-fallback-size=0'],
    ['--max-chunk-size=1'],
    ['--max-chunk-size=1000'],
    ['--max-bsdiff-size=0'],
    ['--swap-endianness'],
    ['--swap-endianness', '--inline', '--min-fallback-size=0'],
    ['--empty'],
    ['--empty', '--inline'],
    ['--empty', '--swap-endianness', '--max-chunk-size=1', '--min-fallback-size=1'],
  ];
  for (const args of variants) {
    test(`with ${args.join(' ') || 'no options'}`, async (t) => {
      const copy = freshPath();
      cpSync(repo, copy, { recursive: true });
      const fromNothing = args.includes('--empty');
      const from = fromNothing ? undefined : commits.first;
      const { second } = commits;
      ostree(
        'static-delta',
        'generate',
        `--repo=${copy}`,
        ...(from === undefined ? [] : [`--from=${from}`]),
        `--to=${second}`,
        ...args,
      );
      ostree('summary', '-u', `--repo=${copy}`);
      const start = (): string => {
        if (fromNothing) return freshRepository();
        const path = freshPath();
        cpSync(base, path, { recursive: true, verbatimSymlinks: true });
        return path;
      };

      const server = await serveFolder(t, copy);
      const path = start();
      const result = await pullOver(path, server.url, second, { deltas: 'required', threads: 2 });
      assert.deepEqual(ids(result), wanted);
      using repository = await Repository.open(path);
      await assertClean(repository);
      const asked = objectsAsked(server);
      assert(
        asked.every((object) => object.endsWith('.filez')),
        String(asked),
      );

      if (asked.length > 0) return;
      const offline = new DeltaFileSource(join(copy, deltaFolder(from, second)));
      assert.deepEqual(ids(await pull(start(), offline, second, { deltas: 'required' })), wanted);
    });
  }
});

/** Files that change in part, in full and not at all, of all the sizes that deltas treat differently. */
function makeTree(path: string, version: 1 | 2): void {
  mkdirSync(join(path, 'sub', 'deep'), { recursive: true });
  const noise = (size: number, seed: number): Buffer => {
    const bytes = Buffer.alloc(size);
    for (let i = 0, state = seed; i < size; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      bytes[i] = state >>> 24;
    }
    return bytes;
  };
  const edited = (size: number, seed: number): Buffer => {
    const bytes = noise(size, seed);
    if (version === 1) return bytes;
    bytes.fill(7, 1000, 1100);
    return Buffer.concat([bytes.subarray(0, 5000), Buffer.from('inserted'), bytes.subarray(5000)]);
  };
  writeFileSync(join(path, 'same'), 'the same');
  writeFileSync(join(path, 'small'), `version ${version}`);
  writeFileSync(join(path, 'empty'), '');
  writeFileSync(join(path, 'sub', 'medium'), edited(200_000, 1));
  writeFileSync(join(path, 'sub', 'deep', 'large'), edited(1_500_000, 2));
  writeFileSync(join(path, 'sub', `renamed-${version}`), edited(60_000, 3));
  writeFileSync(join(path, `new-${version}`), noise(1_300_000, 10 + version));
  rmSync(join(path, 'link'), { force: true });
  symlinkSync(`small-${version}`, join(path, 'link'));
}

describe('pullCommit() past wrong deltas', () => {
  const repositories = new HandmadeCommits();
  after(() => repositories[Symbol.dispose]());
  const text = Buffer.from('content that is longer than what lies in the stream, '.repeat(10));
  const file = repositories.file(text);
  const tree = repositories.dirTree([['file', file]]);
  const commit = repositories.commitOf(tree);
  const read = (type: 'commit' | 'dirtree' | 'dirmeta', sum: OstreeChecksum): Buffer =>
    readFileSync(repositories.pathOf(type, sum));
  const objects: readonly Listed[] = [
    ['dirtree', tree],
    ['dirmeta', repositories.meta],
    ['file', file],
  ];
  const treeBytes = read('dirtree', tree);
  const metaBytes = read('dirmeta', repositories.meta);
  const blob = Buffer.concat([treeBytes, metaBytes, text]);
  const operations = program(
    op(Op.openSpliceClose, treeBytes.length, 0),
    op(Op.openSpliceClose, metaBytes.length, treeBytes.length),
    op(Op.openSpliceClose, 0, 0, text.length, treeBytes.length + metaBytes.length),
  );
  const part: PartFacts = { file: plainPart({ blob, operations }), objects };
  const good: DeltaFacts = { to: commit, commit: read('commit', commit), parts: [part] };
  const withPart = (facts: Partial<PartFacts>): DeltaFacts => ({ ...good, parts: [{ ...part, ...facts }] });
  const damagedText = Buffer.concat([treeBytes, metaBytes, Buffer.alloc(text.length, 'x')]);

  /** A copy of the repository with this delta alone. */
  function withDelta(facts: DeltaFacts): string {
    const copy = freshPath();
    cpSync(repositories.path, copy, { recursive: true });
    putDelta(copy, encodeHandmadeSuperblock(facts), facts);
    return copy;
  }

  test('takes a good one', async () => {
    const { delta } = await pull(freshRepository(), withDelta(good), commit, { deltas: 'required' });
    assert.equal(delta?.name, commit);
  });

  const wrong: readonly (readonly [name: string, facts: DeltaFacts, code: string, says: RegExp])[] = [
    [
      'a swapped commit object',
      { ...good, commit: read('commit', repositories.commitOf(repositories.empty)) },
      'CHECKSUM',
      /commit object/,
    ],
    ['a substituted part', withPart({ digest: Buffer.alloc(32) }), 'CHECKSUM', /part 0 of delta/],
    [
      'a substituted part in the superblock',
      withPart({ digest: Buffer.alloc(32), inline: true }),
      'CHECKSUM',
      /part 0 of delta/,
    ],
    ['a part that is longer than announced', withPart({ size: 10 }), 'LIMIT', /10/],
    ['an unknown compression', withPart({ file: Buffer.from('zzzz') }), 'FORMAT', /Invalid compression type '122'/],
    ['a part of very many objects', withPart({ objects: Buffer.alloc(33 * 200_000, 1) }), 'FORMAT', /part 0 of delta/],
    ['a part that is empty', withPart({ file: Buffer.alloc(0) }), 'FORMAT', /part 0 of delta/],
    [
      'a part that is no XZ stream',
      withPart({ file: Buffer.concat([Uint8Array.of(Compression.xz), randomBytes(99)]) }),
      'FORMAT',
      /part 0 .*payload: File format not recognized/,
    ],
    ['a payload that is no GVariant', withPart({ file: plainPart(Buffer.from('zz')) }), 'FORMAT', /framing offsets/],
    [
      'a part that makes too little',
      withPart({ file: plainPart({ blob, operations: operations.subarray(0, 3) }) }),
      'FORMAT',
      /of the 3 objects that are listed/,
    ],
    [
      'a file with another content',
      withPart({ file: plainPart({ blob: damagedText, operations }) }),
      'CHECKSUM',
      new RegExp(file),
    ],
    [
      'a part that lists very many objects',
      withPart({ objects: Buffer.alloc(33 * 200_000, Buffer.alloc(33, 3)) }),
      'CHECKSUM',
      /Corrupted dirmeta object/,
    ],
    ['objects that need more space than there is', withPart({ unpackedSize: 2 ** 52 }), 'NO_SPACE', /static delta/],
  ];
  for (const [name, facts, code, says] of wrong) {
    for (const threads of [1, 2]) {
      test(`refuses ${name}, and fetches objects instead, with ${threads} threads`, async (t) => {
        const copy = withDelta(facts);
        const server = await serveFolder(t, copy);
        const path = freshRepository();
        using repository = await Repository.open(path);
        const seen = visible(repository);
        await assert.rejects(
          pullOver(path, server.url, commit, { deltas: 'required', threads }),
          (error: Error & { code: string }) => {
            assert.equal(error.code, code, error.stack);
            assert.match(error.message, says);
            return true;
          },
        );
        assert.deepEqual(visible(repository), seen);
        const notes: string[] = [];
        const result = await pullOver(path, server.url, commit, { threads, onNote: (note) => void notes.push(note) });
        assert.deepEqual(ids(result), ids(await pull(freshRepository(), copy, commit)));
        assert.equal(notes.length, 1, String(notes));
        assert.match(notes[0]!, says);
        assert.match(notes[0]!, /fetching objects instead$/);
        await assertClean(repository);
      });
    }
  }

  test('refuses a superblock that is not the one that the summary lists', async (t) => {
    const server = await serveFolder(t, goldenPath, ({ path }) =>
      path.endsWith('/superblock') ? { kind: 'wrong-bytes' } : undefined,
    );
    const path = freshRepository();
    const to = expected.commits['3']!;
    await assert.rejects(pullOver(path, server.url, to, { deltas: 'required' }), {
      code: 'CHECKSUM',
      message: new RegExp(`superblock of static delta ${to}`),
    });
    assert.deepEqual(ids(await pullOver(path, server.url, to)), ids(await pull(freshRepository(), goldenPath, to)));
  });

  for (const fault of [
    { kind: 'status', status: 404 },
    { kind: 'status', status: 500 },
    { kind: 'html' },
    { kind: 'wrong-bytes' },
    { kind: 'cut', after: 100 },
  ] as const) {
    test(`fetches objects where parts answer ${JSON.stringify(fault)}`, async (t) => {
      const server = await serveFolder(t, goldenPath, ({ path }) =>
        /deltas\/.*\/\d+$/.test(path) ? fault : undefined,
      );
      const to = expected.commits['3']!;
      const notes: string[] = [];
      const result = await pullOver(freshRepository(), server.url, to, { onNote: (note) => void notes.push(note) });
      assert.deepEqual(ids(result), ids(await pull(freshRepository(), goldenPath, to)));
      assert.equal(notes.length, 1, String(notes));
    });
  }

  test('fetches a part again where it was cut off', async (t) => {
    const server = await serveFolder(t, goldenPath, ({ path, nth }) =>
      /deltas\/.*\/\d+$/.test(path) && nth === 0 ? { kind: 'cut', after: 100 } : undefined,
    );
    const result = await pullOver(freshRepository(), server.url, expected.commits['3']!, { deltas: 'required' });
    assert.equal(result.delta?.parts, 6);
  });

  const child = promisify(execFile);
  let bomb: Buffer | undefined;
  const packBomb = (): Buffer => {
    const payload = encodePayload({ blob: Buffer.alloc(200 << 20), operations });
    const { stdout: packed } = spawnSync('xz', ['-c', '-0'], { input: payload, maxBuffer: 2 ** 30 });
    return Buffer.concat([Uint8Array.of(Compression.xz), packed]);
  };
  for (const unpackedSize of [0, 2 ** 28]) {
    test(
      `refuses a bomb that claims to make ${unpackedSize} bytes, in flat memory`,
      { skip: needs('xz') },
      async (t) => {
        bomb ??= packBomb();
        const facts = withPart({ file: bomb, unpackedSize });
        const server = await serveFolder(t, withDelta(facts));
        await assert.rejects(
          pullOver(freshRepository(), server.url, commit, { deltas: 'required' }),
          unpackedSize === 0
            ? /blob: 209715200 bytes, of which operations use no more than \d+/
            : /operations\[0\]|dirtree/,
        );
        const script = join(import.meta.dirname, 'pull-child.ts');
        const run = await child(process.execPath, [script, freshRepository(), server.url, commit]);
        const { outcome, peak } = JSON.parse(run.stdout) as {
          outcome: { result?: PullResult; message?: string };
          peak: number;
        };
        assert.equal(outcome.result?.commit, commit, outcome.message);
        assert(peak < 250 * 1024, `${peak} KiB`);
      },
    );
  }

  test('takes a payload that is much larger than its objects, as long as operations use all of it', async () => {
    const many = Array.from({ length: 40 }, (_, i) => Buffer.alloc(50_000, `file ${i}`));
    const sums = many.map((content) => repositories.file(content));
    const all = program(...many.map((content, i) => op(Op.openSpliceClose, 0, 0, content.length, 50_000 * i)));
    const large: PartFacts = {
      file: plainPart({ blob: Buffer.concat(many), operations: all }),
      objects: sums.map((sum) => ['file', sum]),
      unpackedSize: 0,
    };
    const copy = withDelta({ ...good, parts: [part, large] });
    const result = await pull(freshRepository(), copy, commit, { deltas: 'required' });
    assert.equal(result.delta?.parts, 2);
  });
});
