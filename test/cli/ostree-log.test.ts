import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeCommit } from '../../ostree/commit.ts';
import { encodeCommitStream, streamName } from '../../src/commit/commit-stream.ts';
import { Repository } from '../../src/repository/repository.ts';
import { freshRepository } from '../repository/support.ts';
import { run } from './run.ts';

test('cfs ostree log ends where stored commits with false ids lead in a circle', { timeout: 60_000 }, async () => {
  const path = freshRepository('sha256');
  const [a, b, root] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [
    OstreeChecksum,
    OstreeChecksum,
    OstreeChecksum,
  ];
  {
    using repository = await Repository.open(path);
    using transaction = await repository.begin();
    for (const [id, parent] of [
      [a, b],
      [b, a],
    ] as const) {
      const facts = {
        metadata: [],
        related: [],
        parent,
        subject: id,
        body: '',
        timestamp: 0n,
        rootTree: root,
        rootMeta: root,
      };
      const objects = new Map([[id, { data: encodeCommit(facts), object: undefined }]]);
      const stream = await encodeCommitStream('sha256', id, objects)([]);
      transaction.linkStream(streamName(id), transaction.storeBytes(stream));
    }
    await transaction.commit();
  }
  const { code, stdout, stderr } = await run('--repo', path, 'ostree', 'log', a);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^commit /gm)?.length, 2);
});
