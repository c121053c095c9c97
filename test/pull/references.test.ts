/** Pulls that take objects from reference repositories before the source. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openHttpSource } from '../../ostree/http/source.ts';
import type { PullOptions, PullResult } from '../../src/pull/pull.ts';
import { Repository } from '../../src/repository/repository.ts';
import { run } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { goldenPath } from '../ostree/golden.ts';
import { makeRepositories, ostree, repositoryNeeds, type Repositories } from '../ostree/real-ostree.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { assertClean, expected, objectNames, pull } from './support.ts';

const commit = expected.commits['3']!;
/** An older commit of the same branch: most of its objects are those of the other. */
const older = expected.commits['1']!;

describe('pullCommit() with reference repositories', () => {
  let server: FaultyServer;
  let whole: PullResult;
  before(async () => {
    server = await FaultyServer.start({ files: goldenPath });
    whole = await pull(freshRepository(), goldenPath, commit);
  });
  after(() => server[Symbol.asyncDispose]());

  async function pullWith(
    references: readonly string[],
    options: PullOptions = {},
    path = freshRepository(),
  ): Promise<PullResult> {
    server.requests.length = 0;
    const result = await pull(path, openHttpSource(server.url), commit, { references, ...options });
    assert.deepEqual([result.image, result.stream], [whole.image, whole.stream]);
    const asked = server.requests.filter(({ path: each }) => each.startsWith('objects/'));
    assert.equal(asked.length, result.metadataFetched + result.filesFetched);
    assert.equal(result.filesFetched + result.filesFromReference + result.filesReused, whole.filesFetched);
    using repository = await Repository.open(path);
    await assertClean(repository);
    return result;
  }

  describe('of OSTree', { skip: needs(...repositoryNeeds) }, () => {
    let repositories: Repositories;
    before(() => {
      repositories = makeRepositories();
    });
    after(() => repositories[Symbol.dispose]());

    for (const mode of ['archive', 'bare', 'bareUser', 'bareSplitXattrs'] as const) {
      test(`takes everything from one of mode ${mode}`, async () => {
        const result = await pullWith([repositories[mode]], { threads: 2 });
        assert.deepEqual([result.filesFetched, result.metadataFetched], [0, 0]);
      });
    }

    test('takes from one what it has, and from the next what that has', async () => {
      const some = freshPath();
      ostree('init', `--repo=${some}`, '--mode=archive');
      ostree('pull-local', `--repo=${some}`, repositories.archive, older);
      const result = await pullWith([some]);
      assert(result.filesFromReference > 0 && result.filesFetched > 0);
      const both = await pullWith([some, repositories.bare]);
      assert.equal(both.filesFetched, 0);
      assert.equal(both.filesFromReference, result.filesFromReference + result.filesFetched);
    });

    test('fetches what one has damaged', async () => {
      const bad = freshPath();
      ostree('init', `--repo=${bad}`, '--mode=archive');
      ostree('pull-local', `--repo=${bad}`, repositories.archive, commit);
      const files = readdirSync(join(bad, 'objects'), { recursive: true, encoding: 'utf8' });
      const damaged = files.filter((name) => /\.(filez|dirtree)$/.test(name));
      for (const [i, name] of damaged.entries()) {
        if (i % 3 === 0) writeFileSync(join(bad, 'objects', name), 'no object');
        else if (i % 3 === 1) appendFileSync(join(bad, 'objects', name), 'more');
      }
      const result = await pullWith([bad]);
      assert(result.filesFromReference > 0 && result.filesFetched > 0 && result.metadataFetched > 0);
    });
  });

  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`takes everything from a composefs repository of ${algorithm}, untouched`, async () => {
      const reference = freshRepository(algorithm);
      await pull(reference, goldenPath, commit);
      const before = objectNames(reference).map((name) => [name, statSync(join(reference, 'objects', name)).size]);
      const result = await pullWith([reference], { threads: 2 });
      assert.deepEqual([result.filesFetched, result.metadataFetched], [0, 0]);
      const again = objectNames(reference).map((name) => [name, statSync(join(reference, 'objects', name)).size]);
      assert.deepEqual(again, before);
    });
  }

  test('makes hard links of the objects of a composefs repository, where blocks cannot be shared', async () => {
    const reference = freshRepository();
    await pull(reference, goldenPath, commit);
    const path = freshRepository();
    const result = await pullWith([reference], {}, path);
    assert(result.content.reflinked > 0);
    const linked = objectNames(path).filter((name) => {
      const stat = statSync(join(path, 'objects', name));
      return stat.isFile() && stat.nlink === 2;
    });
    assert.equal(linked.length, result.content.reflinked);
  });

  test('copies what somebody else may change', async () => {
    const reference = freshRepository();
    await pull(reference, goldenPath, commit);
    for (const name of objectNames(reference)) chmodSync(join(reference, 'objects', name), 0o664);
    const result = await pullWith([reference]);
    assert.deepEqual([result.content.reflinked, result.filesFetched], [0, 0]);
    assert(result.content.written > 0);
  });

  test('fetches what a composefs repository has damaged or lost', async () => {
    const reference = freshRepository();
    await pull(reference, goldenPath, commit);
    const objects = objectNames(reference).filter((name) => statSync(join(reference, 'objects', name)).isFile());
    for (const [i, name] of objects.entries()) {
      const path = join(reference, 'objects', name);
      const { size } = statSync(path);
      // The stream and the images stay: they are the largest here.
      if (size < 3000 && i % 2 === 0) writeFileSync(path, Buffer.alloc(i % 4 === 0 ? size : 1));
    }
    const result = await pullWith([reference]);
    assert(result.filesFromReference > 0 && result.filesFetched > 0, JSON.stringify(result));
  });

  test('works the same for a pull from disk', async () => {
    const reference = freshRepository('sha512');
    await pull(reference, goldenPath, commit);
    const result = await pull(freshRepository(), goldenPath, commit, { references: [reference] });
    assert.deepEqual([result.image, result.filesFetched], [whole.image, 0]);
  });

  test('refuses a path without a repository', async () => {
    await assert.rejects(pull(freshRepository(), goldenPath, commit, { references: [freshPath()] }), {
      code: 'NOT_FOUND',
      message: /no OSTree or composefs repository at/,
    });
  });

  test('is an option of both pull commands, also by the name that ostree has for it', async () => {
    const reference = freshRepository();
    await pull(reference, goldenPath, commit);
    const commands = [
      ['pull-local', '--reference-repo', reference, goldenPath],
      ['pull', '--localcache-repo', reference, server.url],
    ];
    for (const args of commands) {
      const { code, stdout, stderr } = await run('--repo', freshRepository(), '--json', 'ostree', ...args, commit);
      assert.equal(code, 0, stderr);
      const result = JSON.parse(stdout) as { files_from_reference: number; files_fetched: number };
      assert.equal(result.files_from_reference, whole.filesFetched);
      assert.equal(result.files_fetched, 0);
    }
  });
});
