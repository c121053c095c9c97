import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GVariantError } from '../../gvariant/src/error.ts';
import { isBasic, parseType } from '../../gvariant/src/type.ts';

/** Type string, alignment, fixed size (0 for variable), levels. */
const sizes: readonly (readonly [string, number, number, number])[] = [
  ['b', 1, 1, 1],
  ['y', 1, 1, 1],
  ['n', 2, 2, 1],
  ['q', 2, 2, 1],
  ['i', 4, 4, 1],
  ['u', 4, 4, 1],
  ['h', 4, 4, 1],
  ['x', 8, 8, 1],
  ['t', 8, 8, 1],
  ['d', 8, 8, 1],
  ['s', 1, 0, 1],
  ['o', 1, 0, 1],
  ['g', 1, 0, 1],
  ['v', 8, 0, 1],
  ['()', 1, 1, 1],
  ['(yu)', 4, 8, 2],
  ['(uy)', 4, 8, 2],
  ['(y(yn)y)', 2, 8, 3],
  ['{yt}', 8, 16, 2],
  ['(us)', 4, 0, 2],
  ['mu', 4, 0, 2],
  ['au', 4, 0, 2],
  ['a(yt)', 8, 0, 3],
  ['a{sv}', 8, 0, 3],
  ['(a(s(taya{sv}))a{sv})', 8, 0, 7],
];

test('parseType() knows alignment, fixed size and depth', () => {
  for (const [text, alignment, fixedSize, depth] of sizes) {
    const type = parseType(text);
    assert.deepEqual(
      [type.text, type.alignment, type.fixedSize, type.depth],
      [text, alignment, fixedSize, depth],
      text,
    );
  }
});

test('parseType() gives the same tree for the same text, and for a tree', () => {
  const type = parseType('a(say)');
  assert.equal(parseType('a(say)'), type);
  assert.equal(parseType(type), type);
});

test('parseType() forgets old types rather than grow without end', () => {
  const first = parseType('(yyyyyyyyy)');
  for (let index = 0; index < 1024; index++)
    parseType(`(${index.toString(2).replaceAll('0', 'y').replaceAll('1', 'n')})`);
  assert.notEqual(parseType('(yyyyyyyyy)'), first);
  assert.deepEqual(parseType('(yyyyyyyyy)'), first);
});

const invalid: readonly (readonly [text: string, offset: number, problem: RegExp])[] = [
  ['', 0, /incomplete/],
  ['a', 1, /incomplete/],
  ['m', 1, /incomplete/],
  ['(', 1, /incomplete/],
  ['(ss', 3, /incomplete/],
  ['ss', 1, /after a complete type/],
  ['z', 0, /unknown letter 'z'/],
  ['a*', 1, /indefinite type '\*'/],
  ['?', 0, /indefinite/],
  ['(r)', 1, /indefinite/],
  [')', 0, /unknown letter/],
  ['(s}', 2, /unknown letter '}'/],
  ['{}', 0, /two members, not 0/],
  ['{s}', 0, /two members, not 1/],
  ['{sss}', 0, /two members, not 3/],
  ['{vs}', 0, /key is a basic type, not 'v'/],
  ['{(s)s}', 0, /key is a basic type/],
  ['{ays}', 0, /key is a basic type/],
  [`${'a'.repeat(129)}y`, 128, /deeper than 128/],
  ['('.repeat(100_000), 128, /deeper than 128/],
];

test('parseType() says where and why a type string is invalid', () => {
  for (const [text, offset, problem] of invalid) {
    assert.throws(
      () => parseType(text),
      (error) => {
        assert.ok(error instanceof GVariantError);
        assert.equal(error.offset, offset, text);
        assert.match(error.problem, problem, text);
        assert.ok(error.message.length < 200);
        return true;
      },
    );
  }
  assert.equal(parseType(`${'a'.repeat(128)}y`).depth, 129);
});

test('isBasic() is true for the letters except the variant', () => {
  for (const letter of 'bynqiuhxtdsog') assert.equal(isBasic(parseType(letter)), true, letter);
  for (const text of ['v', '()', 'as', 'ms', '{sv}']) assert.equal(isBasic(parseType(text)), false, text);
});
