import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeVarint, encodeVarint } from '../../../ostree/delta/varint.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';

const rows: readonly (readonly [value: number, hex: string])[] = [
  [0, '00'],
  [1, '01'],
  [127, '7f'],
  [128, '8001'],
  [300, 'ac02'],
  [0xffff_ffff, 'ffffffff0f'],
  [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
];

describe('varints', () => {
  for (const [value, hex] of rows) {
    test(`${value} is ${hex}`, () => {
      const out: number[] = [];
      encodeVarint(value, out);
      assert.equal(Buffer.from(out).toString('hex'), hex);
      const bytes = Buffer.from(`ff${hex}ff`, 'hex');
      assert.deepEqual(decodeVarint(bytes, 1, 'test', 'offset'), { value, end: bytes.length - 1 });
    });
  }

  for (const hex of ['', '80', 'ffffffff', 'ffffffffffffffffffff01', '80808080808080808080']) {
    test(`decodeVarint() refuses ${hex === '' ? 'nothing' : hex} as cut short`, () => {
      assert.throws(() => decodeVarint(Buffer.from(hex, 'hex'), 0, 'delta part 0', 'operations[3].offset'), {
        code: 'FORMAT',
        field: 'operations[3].offset',
        message: /delta part 0: operations\[3\].offset: Unexpected EOF reading varint/,
      });
    });
  }

  test('decodeVarint() refuses 2^53 and more', () => {
    for (const hex of ['8080808080808010', 'ffffffffffffffffff01']) {
      assert.throws(() => decodeVarint(Buffer.from(hex, 'hex'), 0, 'delta part', 'offset'), /more than 2\^53 - 1/);
    }
  });

  test('every safe integer comes back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const out: number[] = [];
        encodeVarint(value, out);
        assert.deepEqual(decodeVarint(Uint8Array.from(out), 0, 'x', 'y'), { value, end: out.length });
      }),
      { numRuns: fuzzRuns },
    );
  });
});
