import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { decodeRecord, encodeRecord } from '../../src/repository/index-record.ts';
import type { HashAlgorithm, ObjectId } from '../../src/verity/object-id.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const name = 'ab'.repeat(32);
const ids: Readonly<Record<HashAlgorithm, ObjectId>> = {
  sha256: '0f'.repeat(32) as ObjectId,
  sha512: '1e'.repeat(64) as ObjectId,
};

describe('decodeRecord()', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`gives what encodeRecord() was given, ${algorithm}`, () => {
      const anything = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean());
      fc.assert(
        fc.property(anything, ([data, external]) => {
          const entry = { data, object: external ? ids[algorithm] : undefined };
          const read = decodeRecord(encodeRecord(name, entry), name, algorithm);
          assert(read !== undefined && read !== 'damaged');
          assert.deepEqual({ data: Uint8Array.from(read.data), object: read.object }, entry);
        }),
        { numRuns: fuzzRuns },
      );
    });
  }

  test('finds every damaged byte, and every length', () => {
    const record = encodeRecord(name, { data: Buffer.from('header'), object: ids.sha256 });
    for (let at = 0; at < record.length; at++) {
      const bad = Uint8Array.from(record);
      bad[at]! ^= 0x10;
      assert.equal(decodeRecord(bad, name, 'sha256'), 'damaged', `byte ${at}`);
      assert.equal(decodeRecord(record.subarray(0, at), name, 'sha256'), 'damaged', `${at} bytes`);
    }
  });

  test('takes neither the record of another name nor the id of another algorithm', () => {
    const record = encodeRecord(name, { data: new Uint8Array(3), object: ids.sha256 });
    assert.equal(decodeRecord(record, 'cd'.repeat(32), 'sha256'), undefined);
    assert.equal(decodeRecord(record, name, 'sha512'), undefined);
  });

  test('throws nothing for any bytes, also with the right sum', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const record = Buffer.concat([Buffer.alloc(4), bytes]);
        record.writeUInt32LE(crc32(bytes), 0);
        for (const each of [bytes, record]) decodeRecord(each, record.toString('hex', 4, 36), 'sha256');
      }),
      { numRuns: fuzzRuns },
    );
  });
});
