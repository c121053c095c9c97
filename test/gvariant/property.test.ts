/** What must hold for every type, every value and all bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { materialize } from '../../gvariant/src/array.ts';
import { byteswap } from '../../gvariant/src/byteswap.ts';
import { decode } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { GVariantError } from '../../gvariant/src/error.ts';
import { isNormal } from '../../gvariant/src/normal.ts';
import { parse } from '../../gvariant/src/parse.ts';
import { print } from '../../gvariant/src/print.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { anyType, damage, typedValue } from './arbitrary.ts';

const options = { numRuns: fuzzRuns };
const byteOrder = fc.constantFrom('little' as const, 'big' as const);

/** True if a NaN is anywhere inside: the only value with many serialisations. */
function hasNaN(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasNaN);
  return Number.isNaN(value);
}

/**
 * Decodes all of `bytes`, or undefined where that gives a GVariantError. What is accepted must be the one
 * serialisation of its value, and `isNormal` must agree.
 */
function decodeCanonical(type: string, bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = materialize(decode(type, bytes));
  } catch (error) {
    assert.ok(error instanceof GVariantError, String(error));
    assert.equal(isNormal(type, bytes), false);
    return undefined;
  }
  assert.equal(isNormal(type, bytes), true);
  if (!hasNaN(value)) assert.deepEqual(encode(type, value), bytes);
  return value;
}

test('decode() gives back every value that encode() wrote, in both byte orders and at any address', () => {
  fc.assert(
    fc.property(typedValue, byteOrder, fc.nat(9), ([type, value], byteOrder, shift) => {
      const bytes = encode(type, value, { byteOrder });
      const moved = new Uint8Array(shift + bytes.length + 1).fill(0xee);
      moved.set(bytes, shift);
      const view = moved.subarray(shift, shift + bytes.length);
      assert.deepEqual(materialize(decode(type, view, { byteOrder })), value);
      assert.equal(isNormal(type, view), true);
    }),
    options,
  );
});

test('decode() accepts damaged bytes only if they are the one serialisation of their value', () => {
  fc.assert(
    fc.property(typedValue, damage, ([type, value], damaged) => {
      decodeCanonical(type, damaged(encode(type, value)));
    }),
    options,
  );
});

test('decode() accepts random bytes only if they are the one serialisation of their value', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 24 }),
    fc
      .array(fc.constantFrom(0, 0, 1, 2, 3, 4, 8, 0x61, 0x73, 0x76), { maxLength: 24 })
      .map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(anyType, bytes, (type, bytes) => {
      decodeCanonical(type, bytes);
    }),
    options,
  );
});

test('parse() reads back what print() wrote, with or without annotations', () => {
  fc.assert(
    fc.property(typedValue, fc.boolean(), ([type, value], annotate) => {
      const text = print(type, value, { annotate });
      const parsed = annotate ? parse(text) : parse(text, type);
      assert.equal(parsed.type, type);
      assert.deepEqual(parsed.value, value);
    }),
    options,
  );
});

test('parse() throws nothing but GVariantError on damaged text', () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Array.from(`[](){}<>@',:"bm1a.- \\`))), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(typedValue, edits, ([type, value], edits) => {
      const list = Array.from(print(type, value));
      for (const [where, character] of edits) list[where % (list.length + 1)] = character;
      try {
        const parsed = parse(list.join(''));
        encode(parsed.type, parsed.value);
      } catch (error) {
        assert.ok(error instanceof GVariantError, String(error));
      }
    }),
    options,
  );
});

test('byteswap() twice gives the value back', () => {
  fc.assert(
    fc.property(
      typedValue.filter(([, value]) => !hasNaN(value)),
      ([type, value]) => {
        const swapped = materialize(byteswap(type, value));
        // A swapped double may be a NaN, which does not keep its bits.
        if (!hasNaN(swapped)) assert.deepEqual(materialize(byteswap(type, swapped)), value);
      },
    ),
    options,
  );
});
