/** Which static delta is chosen of those that a source lists. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { DeltaSource } from '../../ostree/delta/source.ts';
import { openHttpSource } from '../../ostree/http/source.ts';
import { Bases } from '../../src/pull/bases.ts';
import { chooseDelta } from '../../src/pull/delta-choice.ts';
import { Repository } from '../../src/repository/repository.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { pull } from './support.ts';

describe('chooseDelta()', () => {
  const upstream = new HandmadeCommits();
  after(() => upstream[Symbol.dispose]());

  test('looks at three stored commits at most, that of the ref first, however many deltas are listed', async () => {
    const path = freshRepository();
    const commits = Array.from({ length: 6 }, (_, i) =>
      upstream.commitOf(upstream.empty, { subject: `version ${i}`, timestamp: BigInt(i) }),
    );
    upstream.ref('os', commits[0]!);
    await pull(path, upstream.path, 'os');
    for (const commit of commits.slice(1)) await pull(path, upstream.path, commit);

    const to = 'ee'.repeat(32) as OstreeChecksum;
    const asked: (OstreeChecksum | undefined)[] = [];
    const deltas: DeltaSource = {
      listDeltas: () => Promise.resolve(commits.map((from) => ({ from, to, superblock: undefined }))),
      readSuperblock({ from }) {
        asked.push(from);
        return Promise.resolve(undefined);
      },
      streamPart: () => Promise.reject(new Error('not chosen')),
    };
    using repository = await Repository.open(path);
    using source = openHttpSource('http://localhost');
    Object.defineProperty(source, 'deltas', { value: deltas });
    const bases = new Bases(repository, undefined);
    assert.equal(await chooseDelta({ repository, source, ref: 'os', options: {} }, to, bases, undefined), undefined);
    assert.equal(bases.size, 3);
    assert.equal(asked.length, 3);
    assert.equal(asked[0], commits[0]);
  });
});
