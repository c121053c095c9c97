import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { ZlibDeflater } from '../../src/export/deflate.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

function deflated(deflater: ZlibDeflater, pieces: readonly Uint8Array[]): Buffer {
  const output: Buffer[] = [];
  deflater.reset();
  for (const [i, piece] of pieces.entries()) {
    deflater.push(piece, i === pieces.length - 1, (bytes) => output.push(Buffer.from(bytes)));
  }
  return Buffer.concat(output);
}

test('ZlibDeflater gives what inflates to the same, however the input is cut, again and again', () => {
  const deflater = new ZlibDeflater(6);
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 5000 }), { minLength: 1, maxLength: 6 }), (pieces) => {
      assert.deepEqual(inflateRawSync(deflated(deflater, pieces)), Buffer.concat(pieces));
    }),
    { numRuns: fuzzRuns },
  );
});

test('ZlibDeflater compresses large input of every kind, at every level', () => {
  const text = Buffer.from('all work and no play makes jack a dull boy\n'.repeat(20_000));
  const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 2654435761) >>> 24));
  for (let level = 1; level <= 9; level++) {
    const deflater = new ZlibDeflater(level);
    for (const input of [text, noise, Buffer.alloc(1_000_000), Buffer.alloc(0), text]) {
      const output = deflated(deflater, [input]);
      assert.ok(inflateRawSync(output).equals(input));
      if (input === text) assert.ok(output.length < input.length / 50, `${level}: ${output.length}`);
    }
  }
});
