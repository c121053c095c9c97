/** The same types, values and bytes through GLib and through us. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { GVariantError } from '../../gvariant/src/error.ts';
import { checkNormal } from '../../gvariant/src/normal.ts';
import { parse } from '../../gvariant/src/parse.ts';
import { print } from '../../gvariant/src/print.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { anyType, damage, typedValue } from './arbitrary.ts';
import { needs } from '../needs.ts';
import { askGlib } from './glib.ts';

const skip = needs('GLib for Python');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Texts compare without what is not the format's: the sign of a NaN, and characters only one side's Unicode knows. */
const comparable = (text: string): string =>
  text.replaceAll('-nan', 'nan').replaceAll(/\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|[^\x20-\x7e]/gu, '?');

test('encode() and print() agree with GLib on random values', { skip }, () => {
  const values = fc.sample(typedValue, fuzzRuns);
  const questions = values.map(([type, value]) => ({ type, hex: hex(encode(type, value)) }));
  for (const [index, answer] of askGlib(questions).entries()) {
    const [type, value] = values[index] ?? assert.fail();
    const message = `${type} ${questions[index]?.hex}`;
    assert.equal(answer.normal, true, message);
    assert.equal(comparable(print(type, value)), comparable(answer.annotated), message);
    assert.equal(comparable(print(type, value, { annotate: false })), comparable(answer.bare), message);
  }
});

test('GLib parses what print() wrote to the bytes that encode() writes', { skip }, () => {
  // Not so for the sign of a NaN, which a text does not have to keep.
  const values = fc.sample(typedValue, fuzzRuns).filter(([type, value]) => !print(type, value).includes('nan'));
  const answers = askGlib(values.map(([type, value]) => ({ text: print(type, value) })));
  for (const [index, answer] of answers.entries()) {
    const [type, value] = values[index] ?? assert.fail();
    const message = `${type} ${print(type, value)} ${answer.error}`;
    // GLib prints subnormal doubles, but does not read them.
    if (answer.error?.endsWith('number too big for any type')) continue;
    assert.equal(answer.type, type, message);
    assert.equal(answer.hex, hex(encode(type, value)), message);
  }
});

test('checkNormal() agrees with GLib on damaged and random bytes', { skip }, () => {
  const damaged = fc
    .tuple(typedValue, damage)
    .map(([[type, value], edit]) => [type, edit(encode(type, value))] as const);
  const random = fc.tuple(anyType, fc.uint8Array({ maxLength: 16 }));
  const cases = fc.sample(fc.oneof(damaged, random), fuzzRuns);
  const answers = askGlib(cases.map(([type, bytes]) => ({ type, hex: hex(bytes) })));
  for (const [index, answer] of answers.entries()) {
    const [type, bytes] = cases[index] ?? assert.fail();
    const message = `${type} ${hex(bytes)}`;
    let problem: string | undefined;
    try {
      checkNormal(type, bytes);
    } catch (error) {
      if (!(error instanceof GVariantError)) throw error;
      problem = error.problem;
    }
    // The one difference: GLib lets a tuple that needs offsets be no bytes at all when all its members may be empty.
    if (answer.normal && problem === 'no bytes for its offsets') continue;
    assert.equal(problem === undefined, answer.normal, `${message} ${problem}`);
    if (!answer.normal) continue;
    assert.equal(comparable(print(type, decode(type, bytes))), comparable(answer.annotated), message);
  }
});

test('parse() agrees with GLib on texts that no one printed', { skip }, () => {
  const texts = `
    5; -5; +5; 010; 0x10; -0x10; 09; 0b1; 1e5; 1.; .5; -0; @d -0; @d 5; @d 010; @d 0x10; @d nan; -inf; infinity; 1e400; @d .
    @i 1.0; @y 0x; 2147483648; @t 18446744073709551615; @x -9223372036854775808; byte 300; byte -1; byte 'c'; int16 -1
    handle -3; boolean true; string 'x'; objectpath '/a'; signature 'a{sv}'; signature 'my'; objectpath '/a/'; truex
    nothing; just; just 5; just just 5; @mmi 5; @mmi nothing; @mmi just nothing; @ms just 'a'; @mms just 'a'; @ai nothing
    []; @ai []; [1,]; [1, 2.0]; [1, nothing]; [nothing]; [nothing, just nothing, 5]; [5, nothing, just nothing]
    [just 1, 2]; [just just 1, 2]; [1, 2, 'a']; [[], [1]]; [@ai [], [1]]; @aai [[1], []]; [nothing, @mi 1]; [nothing, @i 1]
    [objectpath '/a', '/b']; ['a', @s 'b']; [<1>, <'a'>]; [b'a', [0x61]]; [(1, 2), nothing]; just [1, 2]; [{1, 2}]
    (); ( ); (1); (1,); (1, 2,); (1 2); @(su) ('a', 1); @(su) ('a',); @v <1>; <<5>>; <5; {}; @a{sv} {}; {1, 2}; {1, 2,}
    {1: 2}; {1: 2,}; { 'a' : 1 }; @{sv} {'a', <1>}; {[1]: 2}; {<1>, 2}
    'a\\qb'; 'a\\'b'; "a'b"; "a\\"b"; 'a; 'a' 'b'; '\\x41'; '\\101'; '\\u0041'; '\\u12'; '\\u0000'; '\\U0001f600'; '\\n\\t\\a'
    b'a\\07b'; b'\\a'; b'\\377'; b'\\x41'; b"a'b"; b'é'; @ay b'a'; @ay 'a'; @ay [1, 2]; [byte 1, 2]; @u @u 5; @u uint32 5; 5 6
    @a 5; @ 5; @(i 5; @{vs} {}; [ 1 ,2 ]; 1_0; 1-; --1; nan; @s 5; @i 'a'; @b 1; [true, 1]; (nothing, 1); <nothing>; <@mi nothing>
  `
    .split(/[;\n]/)
    .map((text) => text.trim())
    .filter((text) => text !== '');
  for (const [index, answer] of askGlib(texts.map((text) => ({ text }))).entries()) {
    const text = texts[index] ?? assert.fail();
    if (answer.error === undefined) {
      const { type, value } = parse(text);
      assert.equal(type, answer.type, text);
      assert.equal(hex(encode(type, value)), answer.hex, text);
      assert.equal(print(type, decode(type, Buffer.from(answer.hex, 'hex'))), answer.annotated, text);
    } else assert.throws(() => parse(text), GVariantError, `${text}: ${answer.error}`);
  }
});
