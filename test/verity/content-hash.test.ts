import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ContentHash } from '../../src/verity/content-hash.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import type { HashAlgorithm } from '../../src/verity/object-id.ts';
import { sha256Pair } from '../../src/verity/sha256-pair.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const algorithms: readonly HashAlgorithm[] = ['sha256', 'sha512'];
const hashes = { sha256: new ContentHash('sha256'), sha512: new ContentHash('sha512') };

function checkPieces(algorithm: HashAlgorithm, headerLength: number, lengths: readonly number[]): void {
  const header = Uint8Array.from({ length: headerLength }, (_, i) => (i * 7) & 255);
  const content = Uint8Array.from({ length: lengths.reduce((a, b) => a + b, 0) }, (_, i) => (i * 31 + (i >> 8)) & 255);
  const hash = hashes[algorithm];
  hash.start(header);
  let offset = 0;
  for (const length of lengths) hash.update(content.subarray(offset, (offset += length)));
  const { sha256, verity } = hash.digest();
  assert.equal(Buffer.from(sha256).toString('hex'), createHash('sha256').update(header).update(content).digest('hex'));
  assert.equal(verity, verityDigest(algorithm, content));
}

describe('ContentHash', () => {
  const sizes = [0, 1, 63, 64, 65, 4095, 4096, 4097, 8192, 8 * 4096, 9 * 4096 - 1, 129 * 4096 + 5, 1_100_000];
  for (const algorithm of algorithms) {
    it(`gives the SHA-256 of header and content, and the ${algorithm} fs-verity digest of the content`, () => {
      for (const size of sizes) {
        for (const header of [0, 1, 24, 55, 56, 63, 64, 65, 127, 300]) checkPieces(algorithm, header, [size]);
      }
    });
  }

  it('gives the same however the content is cut', () => {
    const length = fc.oneof(
      fc.nat({ max: 9000 }),
      fc.nat({ max: 12 }).map((blocks) => blocks * 4096),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...algorithms),
        fc.nat({ max: 200 }),
        fc.array(length, { maxLength: 10 }),
        checkPieces,
      ),
      { numRuns: Math.min(fuzzRuns, 1000) },
    );
  });
});

describe('sha256Pair()', () => {
  const pair = sha256Pair();

  it('is there on x86-64 processors with SHA instructions', () => {
    const hasInstructions = /\bsha_ni\b/.test(readFileSync('/proc/cpuinfo', 'latin1'));
    assert.equal(pair !== undefined, hasInstructions);
  });

  it('refuses a range outside the array', { skip: pair === undefined }, () => {
    assert.throws(() => pair!.update(new Uint8Array(10), 5, 6), RangeError);
    assert.throws(() => pair!.updateBlocks(new Uint8Array(8191), 0, 4096, 2, new Uint8Array(64), 0), RangeError);
    assert.throws(() => pair!.updateBlocks(new Uint8Array(8192), 0, 4096, 2, new Uint8Array(63), 0), RangeError);
    assert.throws(() => pair!.updateTail(1, new Uint8Array(4095), 0, 4096, 1, new Uint8Array(32), 0), RangeError);
  });
});
