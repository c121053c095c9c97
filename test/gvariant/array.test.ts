import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bisect, GVariantArray, materialize } from '../../gvariant/src/array.ts';
import { decode } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { GVariantError } from '../../gvariant/src/error.ts';
import { Just, Variant } from '../../gvariant/src/value.ts';

const pairs = Array.from({ length: 1000 }, (_, index) => [`ref-${String(index).padStart(4, '0')}`, index] as const);
const array = decode('a(su)', encode('a(su)', pairs));

test('GVariantArray gives the same elements by at(), iteration and toArray()', () => {
  assert.equal(array.length, 1000);
  assert.equal(array.elementType, '(su)');
  assert.deepEqual(array.at(999), ['ref-0999', 999]);
  assert.deepEqual([...array], pairs);
  assert.deepEqual(array.toArray(), pairs);
  assert.deepEqual(
    pairs.map((_, index) => array.at(index)),
    pairs,
  );
});

test('GVariantArray.bytesAt() gives an element as it lies in the input', () => {
  assert.deepEqual(decode('(su)', array.bytesAt(7)), ['ref-0007', 7]);
  const fixed = decode('a(yy)', Uint8Array.of(1, 2, 3, 4));
  assert.deepEqual(fixed.bytesAt(1), Uint8Array.of(3, 4));
});

test('GVariantArray.at() throws a RangeError outside the array', () => {
  for (const index of [-1, 1000, 0.5, NaN]) assert.throws(() => array.at(index), RangeError);
  assert.throws(() => decode('as', new Uint8Array()).at(0), RangeError);
});

test('GVariantArray of fixed-size tuples needs no offsets', () => {
  const fixed = decode('a(yy)', Uint8Array.of(1, 2, 3, 4));
  assert.ok(fixed instanceof GVariantArray);
  assert.deepEqual(
    [fixed.length, fixed.at(1), [...fixed]],
    [
      2,
      [3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ],
  );
});

test('GVariantArray.check() reads all elements', () => {
  array.check();
  assert.throws(() => decode('as', Uint8Array.of(0x61, 0, 0xff, 0, 2, 4)).check(), GVariantError);
});

test('bisect() finds every element of a sorted array, reading few', () => {
  let read = 0;
  const counted = { length: array.length, at: (index: number) => (read++, array.at(index)) };
  const find = (name: string) => bisect(counted, ([ref]) => (ref < name ? -1 : ref > name ? 1 : 0));
  for (const [name, index] of pairs) assert.equal(find(name)?.[1], index);
  assert.ok(read <= 1000 * 10, `${read} reads`);
  for (const name of ['', 'ref-0500x', 'z']) assert.equal(find(name), undefined);
  assert.equal(
    bisect(decode('as', new Uint8Array()), () => 0),
    undefined,
  );
});

test('bisect() opens one ref of a large summary without reading the others', () => {
  const refs = Array.from({ length: 100_000 }, (_, index) => {
    const name = `app/org.example.App${String(index).padStart(6, '0')}/x86_64/stable`;
    return [name, [BigInt(index), new Uint8Array(32).fill(index % 256), []]] as const;
  });
  const [list] = decode('(a(s(taya{sv}))a{sv})', encode('(a(s(taya{sv}))a{sv})', [refs, []]));
  const name = 'app/org.example.App077777/x86_64/stable';
  const found = bisect(list, ([ref]) => (ref < name ? -1 : ref > name ? 1 : 0));
  assert.equal(found?.[1][0], 77_777n);
  assert.deepEqual(found?.[1][1], new Uint8Array(32).fill(77_777 % 256));
});

test('materialize() replaces arrays inside arrays, variants, maybes and tuples', () => {
  const type = '(aasvmmasb)';
  const value = [[['a'], []], new Variant('as', ['b']), new Just(['c']), true];
  assert.deepEqual(materialize(decode(type, encode(type, value as never))), value);
});
