import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GVariantArray, materialize } from '../../gvariant/src/array.ts';
import { decode, lookup } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { GVariantError } from '../../gvariant/src/error.ts';
import { checkNormal, isNormal } from '../../gvariant/src/normal.ts';
import { Just, Variant } from '../../gvariant/src/value.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

/** Encodes, decodes, and decodes again in the middle of other bytes. */
function roundTrip(type: string, value: unknown, hex: string, byteOrder: 'little' | 'big'): void {
  const bytes = encode(type, value, { byteOrder });
  assert.equal(toHex(bytes), hex.replaceAll(' ', ''), type);
  assert.deepEqual(materialize(decode(type, bytes, { byteOrder })), value, type);
  const around = fromHex(`ffffff${toHex(bytes)}ff`).subarray(3, 3 + bytes.length);
  assert.deepEqual(materialize(decode(type, around, { byteOrder })), value, type);
  assert.equal(isNormal(type, around), true, type);
}

const rows: readonly (readonly [type: string, value: unknown, little: string, big?: string])[] = [
  ['as', ['a', 'b'], '6100 6200 02 04'],
  ['(su)', ['a', 5], '6100 0000 05000000 02', '6100 0000 00000005 02'],
  ['(sss)', ['a', 'b', 'c'], '6100 6200 6300 04 02'],
  ['v', new Variant('u', 5), '05000000 00 75', '00000005 00 75'],
  [
    'a{sv}',
    [
      ['a', new Variant('i', 1)],
      ['b', new Variant('s', 'x')],
    ],
    '61 00 000000000000 01000000 00 69 02 00 62 00 000000000000 78 00 00 73 02 0f 1d',
    '61 00 000000000000 00000001 00 69 02 00 62 00 000000000000 78 00 00 73 02 0f 1d',
  ],
  ['(isb)', [1, 'a', true], '01000000 6100 01 06', '00000001 6100 01 06'],
  ['()', [], '00'],
  ['b', true, '01'],
  ['y', 255, 'ff'],
  ['n', -2, 'feff', 'fffe'],
  ['q', 0x1234, '3412', '1234'],
  ['i', -2, 'feffffff', 'fffffffe'],
  ['u', 0xfffffffe, 'feffffff', 'fffffffe'],
  ['h', -1, 'ffffffff', 'ffffffff'],
  ['x', -2n, 'feffffffffffffff', 'fffffffffffffffe'],
  ['t', 2n ** 64n - 2n, 'feffffffffffffff', 'fffffffffffffffe'],
  ['d', 1.5, '000000000000f83f', '3ff8000000000000'],
  ['d', -0, '0000000000000080', '8000000000000000'],
  ['s', '', '00'],
  ['s', '\ufeffé😀', 'efbbbf c3a9 f09f9880 00'],
  ['o', '/a/b_1', '2f612f625f31 00'],
  ['g', 'a{sv}()', '617b73767d2829 00'],
  ['ay', ascii('abc'), '616263'],
  ['ay', new Uint8Array(), ''],
  ['au', [1, 2], '01000000 02000000', '00000001 00000002'],
  ['ab', [true, false], '0100'],
  ['ax', [-1n], 'ffffffffffffffff', 'ffffffffffffffff'],
  ['as', [], ''],
  ['aay', [new Uint8Array(), new Uint8Array()], '00 00'],
  ['(ayay)', [new Uint8Array(), new Uint8Array()], '00'],
  ['(yu)', [1, 2], '01 000000 02000000', '01 000000 00000002'],
  ['(uy)', [1, 2], '01000000 02 000000', '00000001 02 000000'],
  ['a(uy)', [[1, 2]], '01000000 02 000000', '00000001 02 000000'],
  ['(us)', [1, 'a'], '01000000 6100', '00000001 6100'],
  ['{yq}', [1, 2], '01 00 0200', '01 00 0002'],
  ['mi', null, ''],
  ['mi', 5, '05000000', '00000005'],
  ['ms', 'a', '6100 00'],
  ['may', new Uint8Array(), '00'],
  ['mmi', null, ''],
  ['mmi', new Just(null), '00'],
  ['mmi', new Just(5), '05000000 00', '00000005 00'],
  ['v', new Variant('v', new Variant('()', [])), '00 00 2829 00 76'],
];

test('decode() and encode() agree on the worked bytes, in both byte orders', () => {
  for (const [type, value, little, big] of rows) {
    roundTrip(type, value, little, 'little');
    roundTrip(type, value, big ?? little, 'big');
  }
});

test('encode() takes the smallest offset width that fits, and decode() reads each', () => {
  // One string of n bytes with its NUL, and one offset of 1, 2 or 4 bytes.
  for (const [length, total] of [
    [253, 255],
    [254, 257],
    [65_532, 65_535],
    [65_533, 65_538],
  ] as const) {
    const bytes = encode('as', ['x'.repeat(length)]);
    assert.equal(bytes.length, total);
    assert.deepEqual([...decode('as', bytes)], ['x'.repeat(length)]);
    const tuple = encode('(say)', ['x'.repeat(length), new Uint8Array()]);
    assert.equal(tuple.length, total);
    assert.equal(decode('(say)', tuple)[0].length, length);
  }
});

const corrupt: readonly (readonly [name: string, type: string, hex: string, problem: RegExp, offset?: number])[] = [
  ['boolean of 2', 'b', '02', /boolean is 2/, 0],
  ['boolean in an array', 'ab', '0102', /boolean is 2/, 1],
  ['number too short', 'u', '000000', /expected 4 bytes, got 3/, 0],
  ['number too long', 'u', '0000000000', /expected 4 bytes, got 5/],
  ['nothing for a number', 'y', '', /expected 1 bytes, got 0/],
  ['unit of one', '()', '01', /padding byte is not zero/, 0],
  ['unit of no bytes', '()', '', /expected 1 bytes/],
  ['padding in front of a member', '(yu)', '01 000001 02000000', /padding byte is not zero/, 3],
  ['padding at the end of a fixed tuple', '(uy)', '01000000 02 000100', /padding byte is not zero/, 6],
  [
    'padding between array elements',
    'a{sv}',
    '61 00 000000000000 01000000 00 69 02 01 62 00 000000000000 78 00 00 73 02 0f 1d',
    /padding byte is not zero/,
    15,
  ],
  ['string of no bytes', 's', '', /without NUL/, 0],
  ['string without NUL', 's', '6162', /without NUL/],
  ['string with two NULs', 's', '610000', /NUL inside/, 1],
  ['long string with a NUL inside', 's', `${'61'.repeat(40)}00${'61'.repeat(40)}00`, /NUL inside/, 40],
  ['string in Latin-1', 's', '61e900', /invalid UTF-8/, 1],
  ['overlong UTF-8', 's', 'c08000', /invalid UTF-8/, 0],
  ['surrogate in UTF-8', 's', 'eda08000', /invalid UTF-8/, 0],
  ['code point past the last', 's', 'f490808000', /invalid UTF-8/, 0],
  ['UTF-8 cut short', 's', '61c300', /invalid UTF-8/, 1],
  ['relative object path', 'o', '6100', /not an object path/],
  ['object path with a slash at its end', 'o', '2f612f00', /not an object path/],
  ['object path with an empty element', 'o', '2f612f2f6200', /not an object path/],
  ['signature cut short', 'g', '286900', /not a signature/],
  ['signature with a maybe', 'g', '6d6900', /not a signature/],
  ['maybe of fixed size, wrong size', 'mu', '0000', /expected 4 bytes, got 2/],
  ['maybe of variable size without zero byte', 'ms', '6100 01', /no zero byte/, 2],
  ['variant of no bytes', 'v', '', /no NUL/],
  ['variant without NUL', 'v', '7979', /no NUL/],
  ['variant without type string', 'v', '0500', /type string: incomplete/, 2],
  ['variant with half a type string', 'v', '05 00 28', /type string: incomplete/, 2],
  ['variant with two types', 'v', '0505 00 7979', /type string: text after/],
  ['variant with an indefinite type', 'v', '05 00 2a', /type string: indefinite/],
  ['variant whose child has the wrong size', 'v', '0505 00 79', /expected 1 bytes, got 2/],
  ['array not a multiple of its element', 'au', '0000000000', /not a multiple of 4/],
  ['array of tuples not a multiple', 'a(yy)', '000000', /not a multiple of 2/],
  ['offset past the end', 'as', '6100 09', /last offset 9/, 2],
  ['offset that leaves no table', 'as', '6100 03', /last offset 3/],
  ['table not a whole number of offsets', 'as', `${'61'.repeat(299)}00 2c01 2d01`, /last offset 301/],
  ['offsets in falling order', 'aay', '6100 6200 04 02 04', /element 1 is out of order/, 5],
  ['offset past the data', 'as', '6100 6200 06 04', /element 0 is out of order/, 4],
  ['array offsets wider than needed', 'as', `${'61'.repeat(253)}00 fe00`, /wider than needed/],
  ['tuple too short for its offset', '(ss)', '', /no bytes for its offsets/],
  ['tuple too short for its offsets', '(sss)', '00', /too short for its offsets/],
  ['tuple too short for a fixed member', '(sy)', '00 01', /too short for its members/, 1],
  ['tuple offset past the table', '(ss)', '6100 6200 05', /offset is out of order/, 4],
  ['tuple offset before its member', '(yss)', '01 6100 6200 00', /offset is out of order/],
  ['unused bytes in a tuple', '(sy)', '6100 05 06 02', /unused bytes/, 3],
  ['tuple offsets wider than needed', '(say)', `${'61'.repeat(252)}00 00 fd00`, /wider than needed/],
  ['variant in variants past the limit', 'v', `05 0079${'0076'.repeat(128)}`, /deeper than 128/],
];

test('decode() and checkNormal() reject what is not in normal form, and say where', () => {
  for (const [name, type, hex, problem, offset] of corrupt) {
    const bytes = fromHex(hex);
    for (const read of [() => materialize(decode(type, bytes)), () => checkNormal(type, bytes)]) {
      assert.throws(
        read,
        (error) => {
          assert.ok(error instanceof GVariantError, `${name}: ${String(error)}`);
          assert.match(error.problem, problem, name);
          if (offset !== undefined) assert.equal(error.offset, offset, name);
          return true;
        },
        name,
      );
    }
    assert.equal(isNormal(type, bytes), false, name);
  }
});

test('decode() follows variants down to the 128th level and no further', () => {
  const nested = (levels: number): Uint8Array => fromHex(`05 00 79 ${'00 76'.repeat(levels - 2)}`);
  assert.equal(isNormal('v', nested(128)), true);
  assert.equal(isNormal('v', nested(129)), false);
  let value: unknown = decode('v', nested(128));
  for (let level = 1; level < 128; level++) value = value instanceof Variant ? value.value : assert.fail();
  assert.equal(value, 5);
  // What is empty has no level inside that could be too deep, but its type does.
  assert.throws(() => decode(`${'a'.repeat(128)}y`, new Uint8Array()), /deeper than 128/);
});

test('decode() does not believe a table that claims more elements than there are bytes', () => {
  const bytes = new Uint8Array(1 << 16).fill(0xff);
  assert.throws(() => decode('as', bytes), GVariantError);
  // The most that 64 KiB can hold: empty elements, each with its offset.
  const empty = new Uint8Array(255);
  assert.equal(decode('aay', empty).length, 255);
});

test('decode() gives views of bytes, not copies', () => {
  const bytes = Buffer.from('xabc').subarray(1);
  const view = decode('ay', bytes);
  assert.equal(view.buffer, bytes.buffer);
  assert.equal(view.constructor, Uint8Array);
  assert.deepEqual(view, ascii('abc'));
});

test('decode() leaves an array alone until an element is asked for', () => {
  // The second string is not UTF-8.
  const array = decode('as', fromHex('6100 ff00 02 04'));
  assert.ok(array instanceof GVariantArray);
  assert.equal(array.length, 2);
  assert.equal(array.at(0), 'a');
  assert.throws(() => array.at(1), GVariantError);
});

test('lookup() wants the exact type and takes the first entry of a key', () => {
  const dict = decode(
    'a{sv}',
    encode('a{sv}', [
      ['n', { type: 'u', value: 5 }],
      ['n', { type: 'u', value: 6 }],
      ['twice', { type: 's', value: 'text' }],
      ['twice', { type: 'u', value: 7 }],
    ]),
  );
  assert.equal(lookup(dict, 'n', 'u'), 5);
  assert.equal(lookup(dict, 'n', 'i'), undefined);
  assert.equal(lookup(dict, 'twice', 'u'), undefined);
  assert.equal(lookup(dict, 'absent', 'u'), undefined);
  assert.equal(lookup(dict.toArray(), 'twice', 's'), 'text');
});
