import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LiveObjects } from '../../src/repository/live-objects.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

test('LiveObjects has every object that was added, and none whose digest begins otherwise', () => {
  const id = fc
    .uint8Array({ minLength: 64, maxLength: 64 })
    .map((bytes) => Buffer.from(bytes).toString('hex') as ObjectId);
  fc.assert(
    fc.property(fc.array(id), fc.array(id), (added, others) => {
      const live = new LiveObjects();
      for (const each of added) live.add(each);
      for (const each of added) assert(live.has(each));
      const starts = new Set(added.map((each) => each.slice(0, 14)));
      for (const each of others) assert.equal(live.has(each), starts.has(each.slice(0, 14)));
    }),
    { numRuns: fuzzRuns },
  );
});
