import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { verityDigest, VerityHasher } from '../../src/verity/digest.ts';
import type { HashAlgorithm } from '../../src/verity/object-id.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const fixture = (name: string): any =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8'));
const algorithms: readonly HashAlgorithm[] = ['sha256', 'sha512'];

describe('verityDigest()', () => {
  for (const [size, digests] of Object.entries<Record<HashAlgorithm, string>>(fixture('fsverity.json'))) {
    it(`agrees with fsverity-utils on a file of ${size} bytes`, () => {
      const data = Uint8Array.from({ length: Number(size) }, (_, i) => i % 251);
      for (const algorithm of algorithms) assert.equal(verityDigest(algorithm, data), digests[algorithm]);
    });
  }

  for (const [size, digests] of Object.entries<Record<HashAlgorithm, string>>(
    fixture('expected.json').fsverity_zero_files,
  )) {
    it(`agrees with fsverity-utils on ${size} zero bytes given in pieces`, () => {
      const piece = new Uint8Array(1_000_003);
      for (const algorithm of algorithms) {
        const hasher = new VerityHasher(algorithm);
        for (let left = Number(size); left > 0; left -= piece.length) hasher.update(piece.subarray(0, left));
        assert.equal(hasher.digest(), digests[algorithm]);
      }
    });
  }
});

describe('VerityHasher', () => {
  it('gives the same digest however the data is cut, also after reset()', () => {
    const hashers = { sha256: new VerityHasher('sha256'), sha512: new VerityHasher('sha512') };
    fc.assert(
      fc.property(
        fc.constantFrom(...algorithms),
        fc.array(fc.nat({ max: 9000 }), { maxLength: 12 }),
        (algorithm, lengths) => {
          const data = Uint8Array.from({ length: lengths.reduce((a, b) => a + b, 0) }, (_, i) => (i * 31) & 255);
          const hasher = hashers[algorithm];
          hasher.reset();
          let offset = 0;
          for (const length of lengths) hasher.update(data.subarray(offset, (offset += length)));
          assert.equal(hasher.digest(), verityDigest(algorithm, data));
        },
      ),
      { numRuns: Math.min(fuzzRuns, 1000) },
    );
  });
});
