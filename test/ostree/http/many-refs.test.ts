/** One of 100,000 refs is found without decoding the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksumOf } from '../../../ostree/checksum.ts';
import { decodeSummary } from '../../../ostree/summary.ts';
import { SummaryRefs } from '../../../ostree/summary-refs.ts';
import { encodeSummary } from '../../../ostree/summary-write.ts';

const count = 100_000;
const name = (i: number): string => `app/org.example.App${String(i).padStart(6, '0')}/x86_64/stable`;

test('a ref of a summary of 100,000 is found at least a hundred times faster than all of them are read', (t) => {
  const commit = checksumOf(new Uint8Array());
  const refs = Array.from({ length: count }, (_, i) => ({ ref: name(i), commit, commitSize: 1n, metadata: [] }));
  const bytes = encodeSummary(refs, []);
  const list = t.mock.method(SummaryRefs.prototype, 'list');
  const timed = (run: () => void): number => {
    const begun = performance.now();
    run();
    return performance.now() - begun;
  };
  const finding = timed(() => {
    const summary = decodeSummary(bytes);
    for (const i of [0, 1, count / 2, count - 1]) assert.equal(summary.find(name(i))?.ref, name(i));
  });
  assert.equal(list.mock.callCount(), 0);
  const reading = timed(() => assert.equal(Array.from(decodeSummary(bytes).list()).length, count));
  t.diagnostic(
    `${bytes.length} bytes: four refs found in ${finding.toFixed(2)} ms, all read in ${reading.toFixed(0)} ms`,
  );
  assert(finding * 25 < reading, `${finding} ms against ${reading} ms`);
});
