import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteString, byteStringFrom, isUtf8, toUtf8 } from '../../src/tree/byte-string.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

test('byteString() has one character per UTF-8 byte, and toUtf8() gives the text back', () => {
  assert.equal(byteString('é'), '\xc3\xa9');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const wellFormed = text.toWellFormed();
      assert.equal(toUtf8(byteString(wellFormed)), wellFormed);
    }),
    { numRuns: fuzzRuns },
  );
});

test('byteString()s compare in byte order', () => {
  const order = ['\u{10000}', '\uffff', 'a', 'é'].map(byteString).sort();
  assert.deepEqual(order.map(toUtf8), ['a', 'é', '\uffff', '\u{10000}']);
});

test('isUtf8() is false for bytes that are none', () => {
  assert.equal(isUtf8(byteStringFrom(Uint8Array.of(0xff))), false);
  assert.equal(isUtf8(byteString('é')), true);
});
