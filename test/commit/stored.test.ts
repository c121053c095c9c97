import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  commitOfRef,
  commitRef,
  findBase,
  findCommit,
  listCommits,
  readCommit,
  resolveCommit,
  storedGraph,
} from '../../src/commit/stored.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { goldenPath } from '../ostree/golden.ts';
import { HandmadeCommits } from '../pull/handmade-commit.ts';
import { expected, pull } from '../pull/support.ts';
import { freshRepository } from '../repository/support.ts';

const { commits } = expected;
const absent = 'ab'.repeat(32) as OstreeChecksum;

describe('stored commits', () => {
  let repository: Repository;
  before(async () => {
    const path = freshRepository();
    for (const ref of ['golden/x86_64/os', 'golden/plain']) await pull(path, goldenPath, ref);
    await pull(path, goldenPath, commits['1']!);
    repository = await Repository.open(path);
  });
  after(() => repository.close());

  test('listCommits() gives refs by name; what was pulled by its id has that for a name', () => {
    assert.deepEqual(listCommits(repository), [
      { name: commits['1'], commit: commits['1'] },
      { name: 'golden/plain', commit: commits['plain'] },
      { name: 'golden/x86_64/os', commit: commits['3'] },
    ]);
  });

  test('resolveCommit() takes refs, ids, and the beginnings of ids', () => {
    assert.equal(resolveCommit(repository, 'golden/plain'), commits['plain']);
    for (const name of ['1', '3', 'plain']) {
      const commit = commits[name]!;
      for (const length of [8, 63, 64]) assert.equal(resolveCommit(repository, commit.slice(0, length)), commit);
    }
  });

  test('resolveCommit() refuses what means nothing, and what means several', async () => {
    for (const text of ['', 'golden', 'golden/none', absent, 'g', `${commits['3']}0`, commits['3']!.toUpperCase()]) {
      assert.throws(() => resolveCommit(repository, text), { code: 'NOT_FOUND' }, text);
    }
    // One digit must be shared by two of seventeen commits.
    using source = new HandmadeCommits();
    const path = freshRepository();
    for (let i = 0; i < 17; i++) await pull(path, source.path, source.commitOf(source.empty, { subject: `${i}` }));
    using other = await Repository.open(path);
    let ambiguous = 0;
    for (const digit of '0123456789abcdef') {
      try {
        resolveCommit(other, digit);
      } catch (error) {
        if ((error as { code?: string }).code === 'USAGE') ambiguous++;
      }
    }
    assert(ambiguous > 0);
  });

  test('a ref with a percent sign and one with a slash are not the same', () => {
    assert.equal(commitRef('a%b/c:d e'), 'ostree/a%25b%2Fc:d e');
    assert.notEqual(commitRef('a/b'), commitRef('a%2Fb'));
  });

  test('findCommit() and readCommit() tell what is not stored', () => {
    assert.equal(findCommit(repository, absent), undefined);
    assert.throws(() => readCommit(repository, absent), { code: 'NOT_FOUND', message: new RegExp(absent) });
    assert.equal(commitOfRef(repository, 'none'), undefined);
  });

  test('findBase() takes refs and full ids, stored or not', () => {
    assert.equal(findBase(repository, 'golden/plain'), commits['plain']);
    assert.equal(findBase(repository, absent), absent);
    assert.equal(findBase(repository, commits['3']!.slice(0, 10)), undefined);
  });

  test('storedGraph() gives the graph without the source', async () => {
    const graph = await storedGraph(readCommit(repository, commits['3']!));
    assert.equal(graph.checksum, commits['3']);
    assert.equal(graph.commit.parent, commits['2']);
    assert(graph.files.size > 10 && graph.dirtrees.size > 3);
  });
});
