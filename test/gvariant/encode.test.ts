import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { GVariantError } from '../../gvariant/src/error.ts';

test('encode() takes any iterable for an array and any { type, value } for a variant', () => {
  const map = new Map([['a', { type: 'u', value: 5 }]]);
  assert.deepEqual(encode('a{sv}', map), encode('a{sv}', [['a', { type: 'u', value: 5 }]]));
  assert.deepEqual(encode('as', new Set(['x'])), encode('as', ['x']));
  assert.deepEqual(encode('au', Uint32Array.of(1, 2)), encode('au', [1, 2]));
});

test('encode() writes a decoded array again', () => {
  const bytes = encode('aas', [['a', 'b'], [], ['c']]);
  assert.deepEqual(encode('aas', decode('aas', bytes)), bytes);
});

test('encode() keeps what it wrote when its buffer grows at any field', () => {
  for (let length = 230; length < 270; length++) {
    for (const [type, value] of [
      ['b', true],
      ['d', 1.5],
      ['t', 7n],
      ['n', -3],
      ['o', '/x'],
    ] as const) {
      const bytes = encode(`(ay${type})`, [new Uint8Array(length), value]);
      assert.deepEqual(decode(`(ay${type})`, bytes), [new Uint8Array(length), value]);
    }
  }
});

const rejected: readonly (readonly [type: string, value: unknown, message: RegExp])[] = [
  ['y', 256, /'y': expected an integer from 0 to 255, got the number 256/],
  ['y', -1, /from 0 to 255/],
  ['n', 0x8000, /from -32768 to 32767/],
  ['q', 1.5, /integer/],
  ['i', 2 ** 31, /integer/],
  ['u', -1, /integer/],
  ['u', 5n, /got the bigint 5/],
  ['u', NaN, /integer/],
  ['h', '5', /got the string '5'/],
  ['x', 5, /expected a bigint from -9223372036854775808 to 9223372036854775807, got the number 5/],
  ['x', 2n ** 63n, /bigint/],
  ['t', -1n, /bigint/],
  ['d', 5n, /expected a number/],
  ['b', 1, /expected a boolean/],
  ['s', 5, /expected a string/],
  ['s', 'a\0b', /NUL inside/],
  ['s', '\ud800', /surrogate/],
  ['o', 'a', /not an object path/],
  ['g', 'a', /not a signature/],
  ['v', 5, /expected { type, value }/],
  ['v', null, /expected { type, value }, got null/],
  ['v', { type: 5, value: 5 }, /expected a type string/],
  ['v', { type: 'zz', value: 5 }, /unknown letter/],
  ['ay', [1, 2], /expected a Uint8Array, got an object \(Array\)/],
  ['as', 'text', /another iterable/],
  ['as', undefined, /another iterable, got undefined/],
  ['mmi', 5, /expected null or a Just/],
  ['(su)', ['a'], /expected an array of 2 for a tuple, got an array of 1/],
  ['{su}', { a: 5 }, /expected an array of 2 for a dict entry, got an object \(Object\)/],
  [
    'a(sas)',
    [
      ['a', []],
      ['b', ['x', 5]],
    ],
    /^Cannot encode \[1\]\[1\]\[1\] as 's': expected a string, got the number 5$/,
  ],
];

test('encode() rejects a value that does not fit its type, with the path to it', () => {
  for (const [type, value, message] of rejected) {
    assert.throws(
      () => encode(type, value),
      (error) => {
        assert.ok(error instanceof GVariantError, `${type}: ${String(error)}`);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('encode() rejects variants nested deeper than decode() reads', () => {
  let value: { type: string; value: unknown } = { type: 'y', value: 5 };
  for (let level = 3; level <= 128; level++) value = { type: 'v', value };
  assert.equal(encode('v', value).length, 3 + 126 * 2);
  assert.throws(() => encode('v', { type: 'v', value }), /deeper than 128/);
});
