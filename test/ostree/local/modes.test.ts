import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseChecksum } from '../../../ostree/checksum.ts';
import { openLocalRepository } from '../../../ostree/local/repository.ts';
import { openSource } from '../../../ostree/open-source.ts';
import * as xattrs from '../../../src/linux/xattr.ts';
import { needs } from '../../needs.ts';
import {
  copyGoldenRepository,
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

  const os = parseChecksum('f8f33ca04dc7bf93bb13af65045c8ffa0927716514b182803eb1b5bf67c6bf77');
  const parent = '9e66836a721c83ccd4b6c2dfb1afd92b7b5d148435a37a095180ca7c4afae863';
  for (const mode of ['archive', 'bare', 'bareUser', 'bareUserOnly', 'bareSplitXattrs'] as const) {
    testSource({
      name: `that is a ${mode} repository`,
      skip: false,
      open: () => openLocalRepository(repositories[mode], { xattrs }),
      reopen: (description) => openSource(description, { xattrs }),
      cleanUp: () => {},
      refs: mode === 'bareUserOnly' ? userOnlyRefs : goldenRefs,
      ...(mode !== 'bareUserOnly' && { parent: ['golden/x86_64/os', parent] as const }),
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

  test('a commit that ostree pulled without its tree is refused, though its parent is known', async () => {
    const path = join(repositories.root, 'partial');
    ostree('init', `--repo=${path}`, '--mode=bare-user');
    ostree('remote', 'add', `--repo=${path}`, '--no-gpg-verify', 'origin', `file://${repositories.archive}`);
    ostree('pull', `--repo=${path}`, '--commit-metadata-only', 'origin', 'golden/x86_64/os');
    const source = openLocalRepository(path, { xattrs });
    assert.equal(await source.resolveRef('origin:golden/x86_64/os^'), parent);
    assert.throws(() => source.readObject('commit', os), { code: 'PARTIAL' });
  });

  test('a commit that ostree deleted with a tombstone was deleted upstream', async () => {
    const path = join(repositories.root, 'pruned');
    copyGoldenRepository(path);
    const source = openLocalRepository(path);
    const oldest = await source.resolveRef('golden/x86_64/os^^');
    ostree('config', `--repo=${path}`, 'set', 'core.tombstone-commits', 'true');
    ostree('prune', `--repo=${path}`, `--delete-commit=${oldest}`);
    assert.throws(() => source.readObject('commit', oldest), { code: 'NOT_FOUND', message: /was deleted upstream/ });
  });

  test('openLocalRepository() says which modes need extended attributes', () => {
    for (const path of [repositories.bare, repositories.bareUser]) {
      assert.throws(() => openLocalRepository(path), { code: 'UNSUPPORTED', message: /needs extended attributes/ });
    }
    openLocalRepository(repositories.bareUserOnly);
    openLocalRepository(repositories.bareSplitXattrs);
  });
});
