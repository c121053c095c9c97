import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../gvariant/src/parse.ts';
import { print } from '../../gvariant/src/print.ts';
import { Just, Variant } from '../../gvariant/src/value.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

/** Type, value, the text with annotations, and without where that differs. All as GLib 2.74 prints them. */
const rows: readonly (readonly [type: string, value: unknown, annotated: string, bare?: string])[] = [
  ['b', true, 'true'],
  ['y', 5, 'byte 0x05', '0x05'],
  ['n', 3, 'int16 3', '3'],
  ['q', 3, 'uint16 3', '3'],
  ['i', -5, '-5'],
  ['u', 5, 'uint32 5', '5'],
  ['x', -5n, 'int64 -5', '-5'],
  ['t', 5n, 'uint64 5', '5'],
  ['h', 3, 'handle 3', '3'],
  ['o', '/a', `objectpath '/a'`, `'/a'`],
  ['g', 's', `signature 's'`, `'s'`],
  ['d', 1, '1.0'],
  ['d', 0.1, '0.10000000000000001'],
  ['d', 1e100, '1e+100'],
  ['d', 1e16, '10000000000000000.0'],
  ['d', 1e17, '1e+17'],
  ['d', 0.0001, '0.0001'],
  ['d', 1.5e-5, '1.5e-05'],
  ['d', 5e-324, '4.9406564584124654e-324'],
  ['d', -123.25, '-123.25'],
  // Halfway between two numbers of 17 digits: the even one.
  ['d', 1755971189066924.25, '1755971189066924.2'],
  ['d', 1755971189066924.75, '1755971189066924.8'],
  ['d', NaN, 'nan'],
  ['d', -Infinity, '-inf'],
  ['d', -0, '-0.0'],
  ['s', '', `''`],
  ['s', `a"b`, `'a"b'`],
  ['s', `a'b`, `"a'b"`],
  ['s', `a'"b`, `"a'\\"b"`],
  ['s', '\\\x07\b\f\n\r\t\v', `'\\\\\\a\\b\\f\\n\\r\\t\\v'`],
  ['s', '\x01\x7f\u00ad\u200b\u{e0001}', `'\\u0001\\u007f\\u00ad\\u200b\\U000e0001'`],
  ['s', 'é日😀', `'é日😀'`],
  ['v', new Variant('u', 5), '<uint32 5>'],
  ['v', new Variant('v', new Variant('s', 'a')), `<<'a'>>`],
  ['au', [1, 2], '[uint32 1, 2]', '[1, 2]'],
  [
    'a(us)',
    [
      [1, 'a'],
      [2, 'b'],
    ],
    `[(uint32 1, 'a'), (2, 'b')]`,
    `[(1, 'a'), (2, 'b')]`,
  ],
  [
    'a{uy}',
    [
      [5, 3],
      [6, 4],
    ],
    '{uint32 5: byte 0x03, 6: 0x04}',
    '{5: 0x03, 6: 0x04}',
  ],
  ['{uy}', [5, 3], '{uint32 5, byte 0x03}', '{5, 0x03}'],
  ['a{sv}', [['k', new Variant('t', 1n)]], `{'k': <uint64 1>}`],
  ['as', [], '@as []', '[]'],
  ['ay', bytes(''), '@ay []', '[]'],
  ['a{sv}', [], '@a{sv} {}', '{}'],
  ['aas', [[], ['a']], `[@as [], ['a']]`, `[[], ['a']]`],
  ['()', [], '()'],
  ['(i)', [1], '(1,)'],
  ['(iu)', [1, 2], '(1, uint32 2)', '(1, 2)'],
  ['mi', null, '@mi nothing', 'nothing'],
  ['mi', 5, '@mi 5', '5'],
  ['mmi', new Just(null), '@mmi just nothing', 'just nothing'],
  ['mmi', new Just(5), '@mmi 5', '5'],
  ['ami', [null, 1], '[@mi nothing, 1]', '[nothing, 1]'],
  ['ay', bytes('text\0'), `b'text'`],
  ['ay', bytes('\0'), `b''`],
  ['ay', bytes(`it's "\\\n\x07\x7f\xff\0`), `b"it's \\"\\\\\\n\\007\\177\\377"`],
  ['ay', bytes('say "x"\0'), `b'say \\"x\\"'`],
  ['ay', Uint8Array.of(1, 2), '[byte 0x01, 0x02]', '[0x01, 0x02]'],
  ['ay', Uint8Array.of(0, 0), '[byte 0x00, 0x00]', '[0x00, 0x00]'],
];

test('print() writes what GLib writes', () => {
  for (const [type, value, annotated, bare] of rows) {
    assert.equal(print(type, value), annotated, type);
    assert.equal(print(type, value, { annotate: false }), bare ?? annotated, type);
  }
});

test('parse() reads every line of that table back, and with the type also those without annotations', () => {
  for (const [type, value, annotated, bare] of rows) {
    assert.deepEqual(parse(annotated), new Variant(type, value));
    assert.deepEqual(parse(bare ?? annotated, type), new Variant(type, value));
  }
});
