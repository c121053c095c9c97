import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openLocalRepository } from '../../../ostree/local/repository.ts';
import { openSource } from '../../../ostree/open-source.ts';
import * as xattrs from '../../../src/linux/xattr.ts';
import { needs } from '../../needs.ts';
import {
  fingerprint,
  goldenRefs,
  makeRepositories,
  ostree,
  repositoryNeeds,
  userOnlyRefs,
  type Repositories,
} from '../real-ostree.ts';
import { testSource, verifyCommit } from '../source-contract.ts';

const skip = needs(...repositoryNeeds);

describe('LocalRepository of every mode', { skip }, () => {
  let repositories: Repositories;
  before(() => {
    repositories = makeRepositories();
  });
  after(() => repositories[Symbol.dispose]());

  const os = 'f8f33ca04dc7bf93bb13af65045c8ffa0927716514b182803eb1b5bf67c6bf77';
  const parent = '9e66836a721c83ccd4b6c2dfb1afd92b7b5d148435a37a095180ca7c4afae863';
  for (const mode of ['archive', 'bare', 'bareUser', 'bareUserOnly', 'bareSplitXattrs'] as const) {
    testSource({
      name: `that is a ${mode} repository`,
      skip: false,
      open: () => openLocalRepository(repositories[mode], { xattrs }),
      reopen: (description) => openSource(description, { xattrs }),
      cleanUp: () => {},
      refs: mode === 'bareUserOnly' ? userOnlyRefs : goldenRefs,
      ...(mode === 'archive' && { parent: ['golden/x86_64/os', parent] as const }),
    });
  }

  test('every mode but bare-user-only gives the same headers', async () => {
    const modes = ['archive', 'bare', 'bareUser', 'bareSplitXattrs'] as const;
    const sources = modes.map((mode) => openLocalRepository(repositories[mode], { xattrs }));
    for (const source of sources) assert.equal(await source.resolveRef('golden/x86_64/os'), os);
    const counts = await Promise.all(sources.map(async (source) => verifyCommit(source, await source.resolveRef(os))));
    for (const count of counts) assert.deepEqual(count, counts[0]);
  });

  test('ostree itself reads the bare-split-xattrs repository that the test made', () => {
    const repo = `--repo=${repositories.bareSplitXattrs}`;
    const listing = ostree('ls', repo, '-R', '-X', 'golden/x86_64/os');
    assert.equal(listing, ostree('ls', `--repo=${repositories.archive}`, '-R', '-X', 'golden/x86_64/os'));
    assert.match(listing, /security\.capability/);
  });

  test('reading changes nothing in a repository, not even access times', async () => {
    for (const path of [repositories.archive, repositories.bare, repositories.bareUser]) {
      const before = fingerprint(path);
      const source = openLocalRepository(path, { xattrs });
      await source.listRefs();
      await verifyCommit(source, await source.resolveRef('golden/x86_64/os'));
      assert.equal(fingerprint(path), before);
    }
  });

  test('openLocalRepository() says which modes need extended attributes', () => {
    for (const path of [repositories.bare, repositories.bareUser]) {
      assert.throws(() => openLocalRepository(path), { code: 'UNSUPPORTED', message: /needs extended attributes/ });
    }
    openLocalRepository(repositories.bareUserOnly);
    openLocalRepository(repositories.bareSplitXattrs);
  });
});
