/** What the tests of every decoder share: a table of corrupt bytes, and random and damaged bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

export type CorruptRow = readonly [name: string, bytes: Uint8Array, field: string, problem: RegExp];

/** One test per row: decoding must throw a `FormatError` for just this field. */
export function rejects(symbol: string, decode: (bytes: Uint8Array) => unknown, rows: readonly CorruptRow[]): void {
  for (const [name, bytes, field, problem] of rows) {
    test(`${symbol}() rejects ${name}`, () => {
      assert.throws(
        () => decode(bytes),
        (error) => {
          assert(error instanceof FormatError, String(error));
          assert.equal(error.field, field, error.message);
          assert.match(error.message, problem);
          return true;
        },
      );
    });
  }
}

/** Bytes of valid objects, some of them changed, cut or lengthened. */
function damaged(valid: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(), value: fc.nat(255), kind: fc.constantFrom('set', 'insert', 'cut', 'remove') });
  return fc.tuple(fc.constantFrom(...valid), fc.array(edit, { minLength: 1, maxLength: 3 })).map(([bytes, edits]) => {
    const result = [...bytes];
    for (const { at, value, kind } of edits) {
      const position = at % (result.length + 1);
      if (kind === 'set') result[Math.min(position, result.length - 1)] = value;
      else if (kind === 'insert') result.splice(position, 0, value);
      else if (kind === 'remove') result.splice(position, 1);
      else result.length = position;
    }
    return Uint8Array.from(result);
  });
}

/**
 * Random and damaged bytes either decode to a value that encodes to the same bytes, or fail with a `CfsError`.
 * `same` decides instead where a decoder normalises.
 */
export function holdsForAnyBytes<T>(
  symbol: string,
  decode: (bytes: Uint8Array) => T,
  encode: (value: T, bytes: Uint8Array) => Uint8Array,
  valid: readonly Uint8Array[],
): void {
  const samples = valid.filter(({ length }) => length < 4096);
  test(`${symbol}() gives only a CfsError, or a value that encodes to the same bytes`, () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 3, arbitrary: damaged(samples) }, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        let value: T;
        try {
          value = decode(bytes);
        } catch (error) {
          assert(error instanceof CfsError, error instanceof Error ? error.stack : String(error));
          return;
        }
        assert.deepEqual(Buffer.from(encode(value, bytes)), Buffer.from(bytes));
      }),
      { numRuns: fuzzRuns },
    );
  });
}
