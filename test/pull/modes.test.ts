/** The same commit from repositories of every mode. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readCommit } from '../../src/commit/stored.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import {
  fingerprint,
  goldenRefs,
  makeRepositories,
  ostree,
  repositoryNeeds,
  userOnlyRefs,
  type Repositories,
} from '../ostree/real-ostree.ts';
import { freshRepository } from '../repository/support.ts';
import { assertClean, pull, visible } from './support.ts';

/** Lists of [checksum, data, object], and what the stream names. */
async function stored(path: string, ref: string, from: string, workers: number): Promise<unknown> {
  const result = await pull(path, from, ref, { threads: workers + 1 });
  using repository = await Repository.open(path);
  await assertClean(repository);
  const { content, images } = readCommit(repository, result.commit);
  const objects = [...content.entries()].map(([name, { data, object }]) => [
    name,
    Buffer.from(data).toString('hex'),
    object,
  ]);
  return { objects, images, image: result.image, stream: result.stream, visible: visible(repository) };
}

describe('pullCommit()', { skip: needs(...repositoryNeeds) }, () => {
  let repositories: Repositories;
  before(() => {
    repositories = makeRepositories();
  });
  after(() => repositories[Symbol.dispose]());

  for (const algorithm of ['sha256', 'sha512'] as const) {
    for (const ref of goldenRefs) {
      test(`gives the same of ${ref} from every mode, in a ${algorithm} repository, with and without workers`, async () => {
        const { archive, bare, bareUser, bareSplitXattrs } = repositories;
        const wanted = await stored(freshRepository(algorithm), ref, archive, 0);
        for (const source of [bare, bareUser, bareSplitXattrs]) {
          assert.deepEqual(await stored(freshRepository(algorithm), ref, source, 0), wanted, source);
        }
        for (const source of [archive, bareUser]) {
          assert.deepEqual(await stored(freshRepository(algorithm), ref, source, 2), wanted, `${source} with workers`);
        }
      });
    }
  }

  for (const ref of userOnlyRefs) {
    test(`gives the same of ${ref} from a bare-user-only repository and an archive of it`, async () => {
      const { bareUserOnly, root } = repositories;
      const archive = `${root}/archive-of-${ref.replace('/', '-')}`;
      ostree('init', `--repo=${archive}`, '--mode=archive');
      ostree('pull-local', `--repo=${archive}`, bareUserOnly, ref);
      const wanted = await stored(freshRepository(), ref, archive, 0);
      assert.deepEqual(await stored(freshRepository(), ref, bareUserOnly, 0), wanted);
    });
  }

  test('leaves its source as it was', async () => {
    const { archive, bare, bareUser, bareUserOnly, bareSplitXattrs } = repositories;
    for (const source of [archive, bare, bareUser, bareUserOnly, bareSplitXattrs]) {
      const before = fingerprint(source);
      const ref = source === bareUserOnly ? 'canonical' : 'golden/x86_64/os';
      await pull(freshRepository(), source, ref);
      await pull(freshRepository(), source, ref, { threads: 2 });
      assert.equal(fingerprint(source), before, source);
    }
  });

  test('takes from the parent of a repository what the child lacks', async () => {
    const child = `${repositories.root}/child`;
    ostree('init', `--repo=${child}`, '--mode=bare-user');
    const wanted = await stored(freshRepository(), 'golden/plain', repositories.archive, 0);
    ostree('config', `--repo=${child}`, 'set', 'core.parent', repositories.archive);
    assert.deepEqual(await stored(freshRepository(), 'golden/plain', child, 0), wanted);
    assert.deepEqual(await stored(freshRepository(), 'golden/plain', child, 2), wanted);
  });
});
