import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GVariantError } from '../../gvariant/src/error.ts';
import { parse } from '../../gvariant/src/parse.ts';
import { Just, Variant } from '../../gvariant/src/value.ts';

const inferred: readonly (readonly [text: string, type: string, value: unknown])[] = [
  [' 5 ', 'i', 5],
  ['010', 'i', 8],
  ['-0x10', 'i', -16],
  ['1e5', 'd', 100_000],
  ['.5', 'd', 0.5],
  ['-inf', 'd', -Infinity],
  ['@d 5', 'd', 5],
  ['@d 0x10', 'd', 16],
  ['@d 010', 'd', 10],
  ['@ai[]', 'ai', []],
  ['int16 -1', 'n', -1],
  ['[1, 2.0]', 'ad', [1, 2]],
  ['[1, uint32 2]', 'au', [1, 2]],
  [`['/a', objectpath '/b']`, 'ao', ['/a', '/b']],
  ['[nothing, just nothing, 5]', 'ammi', [null, new Just(null), new Just(5)]],
  ['[5, nothing, just nothing]', 'ammi', [new Just(5), null, new Just(null)]],
  ['just 5', 'mi', 5],
  ['just just 5', 'mmi', new Just(5)],
  ['[[], [1]]', 'aai', [[], [1]]],
  ['[(1, []), (2, [nothing, 3])]', '(', undefined],
  [
    '{1: 2.5, 2: 3}',
    'a{id}',
    [
      [1, 2.5],
      [2, 3],
    ],
  ],
  [`{'a', <1>}`, '{sv}', ['a', new Variant('i', 1)]],
  [`'\\q\\'\\u0041\\U0001f600'`, 's', `q'A😀`],
  [`b"é\\0601"`, 'ay', Uint8Array.of(0xc3, 0xa9, 0x30, 0x31, 0)],
];

test('parse() infers types as g_variant_parse does', () => {
  for (const [text, type, value] of inferred) {
    if (type === '(') assert.deepEqual(parse(text).type, 'a(iami)');
    else assert.deepEqual(parse(text), new Variant(type, value), text);
  }
});

test('parse() takes the type it is given before what it would infer', () => {
  assert.deepEqual(parse('[1, 2]', 'ay').value, Uint8Array.of(1, 2));
  assert.deepEqual(parse('{}', 'a{sv}').value, []);
  assert.equal(parse('5', 't').value, 5n);
  assert.equal(parse('5', 'mu').value, 5);
});

const invalid: readonly (readonly [text: string, offset: number, problem: RegExp])[] = [
  ['', 0, /expected a value/],
  ['5 6', 2, /end of the text/],
  ['[1,]', 3, /expected a value/],
  ['[1 2]', 3, /expected '\]' or ','/],
  ['(1)', 2, /expected ',' after the first member/],
  ['(1, 2,)', 6, /expected a value/],
  ['{1: 2', 5, /expected '}' or ','/],
  ['{1 2}', 3, /expected ':'/],
  ['<5', 2, /expected '>'/],
  [`  'a`, 2, /quote is not closed/],
  [`'\\`, 0, /quote is not closed/],
  [`'\\u12'`, 2, /unicode escape/],
  [`'\\u0000'`, 2, /unicode escape/],
  [`'\\ud800'`, 0, /surrogate/],
  [`b'a\\000'`, 0, /NUL/],
  ['[1, tru]', 4, /unknown keyword 'tru'/],
  ['@i', 2, /expected a value/],
  ['@a* 5', 2, /indefinite/],
  ['nothing', 0, /does not follow/],
  ['(1, [])', 0, /does not follow/],
  [`[1, 2, 'a']`, 7, /no type in common/],
  ['[<1>, 2]', 6, /no type in common/],
  ['2147483648', 0, /out of range/],
  ['byte 300', 5, /out of range/],
  [`(1, byte 'c')`, 9, /not a value of this type/],
  ['1e400', 0, /out of range/],
  ['09', 0, /not an integer/],
  ['@o "a"', 3, /not an object path/],
  ['{[1]: 2}', 1, /basic type/],
  ['('.repeat(100_000), 257, /nested too deep/],
  ['<'.repeat(128) + '5' + '>'.repeat(128), 128, /deeper than 128/],
];

test('parse() says where and why a text is invalid', () => {
  for (const [text, offset, problem] of invalid) {
    assert.throws(
      () => parse(text),
      (error) => {
        assert.ok(error instanceof GVariantError, `${text.slice(0, 20)}: ${String(error)}`);
        assert.match(error.problem, problem, text.slice(0, 20));
        assert.equal(error.offset, offset, text.slice(0, 20));
        return true;
      },
    );
  }
});
