import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { openssl } from '../../src/verity/openssl.ts';
import { sha256Stream } from '../../src/verity/stream-hash.ts';

describe('sha256Stream()', () => {
  it('agrees with node:crypto for small and large pieces, and after reset()', () => {
    const data = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 7) & 255);
    const ours = sha256Stream();
    for (const cuts of [[0], [3, 20_000], [1, 2, 4097, 4098, 49_999], [50_000]]) {
      ours.reset();
      const theirs = createHash('sha256');
      let from = 0;
      for (const to of [...cuts, data.length]) {
        ours.update(data.slice(from, to));
        theirs.update(data.subarray(from, to));
        from = to;
      }
      assert.equal(Buffer.from(ours.digest()).toString('hex'), theirs.digest('hex'));
    }
  });

  it('refuses a range outside the array', () => {
    const ours = sha256Stream();
    assert.throws(() => ours.update(new Uint8Array(10), 5, 6), RangeError);
  });
});

describe('openssl()', () => {
  it('is there in the Node that the project ships', () => {
    assert.notEqual(openssl(), undefined);
  });
});
