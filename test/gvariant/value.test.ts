/** Types only: that this file compiles is the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GVariantArray } from '../../gvariant/src/array.ts';
import { decode } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { parseType, type Type } from '../../gvariant/src/type.ts';
import type { Decoded, Encodable, Just, Variant } from '../../gvariant/src/value.ts';

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
const holds = <Claim extends true>(claim: Claim): Claim => claim;

test('Decoded and Encodable follow the type string', () => {
  holds<Equal<Decoded<'u'>, number>>(true);
  holds<Equal<Decoded<'t'>, bigint>>(true);
  holds<Equal<Decoded<'(uuu)'>, [number, number, number]>>(true);
  holds<Equal<Decoded<'()'>, []>>(true);
  holds<Equal<Decoded<'ay'>, Uint8Array>>(true);
  holds<Equal<Decoded<'ax'>, bigint[]>>(true);
  holds<Equal<Decoded<'as'>, GVariantArray<string>>>(true);
  holds<Equal<Decoded<'a(yy)'>, GVariantArray<[number, number]>>>(true);
  holds<Equal<Decoded<'a{sv}'>, GVariantArray<[string, Variant]>>>(true);
  holds<Equal<Decoded<'ms'>, string | null>>(true);
  holds<Equal<Decoded<'mmi'>, Just<number | null> | null>>(true);
  holds<
    Equal<
      Decoded<'(a(say)a(sayay))'>,
      [GVariantArray<[string, Uint8Array]>, GVariantArray<[string, Uint8Array, Uint8Array]>]
    >
  >(true);
  holds<
    Equal<
      Decoded<'(a{sv}aya(say)sstayay)'>,
      [
        GVariantArray<[string, Variant]>,
        Uint8Array,
        GVariantArray<[string, Uint8Array]>,
        string,
        string,
        bigint,
        Uint8Array,
        Uint8Array,
      ]
    >
  >(true);
  // An invalid type string has no values; one that is not known while compiling has any.
  holds<Equal<Decoded<'(u'>, never>>(true);
  holds<Equal<Decoded<'uu'>, never>>(true);
  holds<Equal<Decoded<string>, unknown>>(true);
  holds<Equal<Encodable<'a(su)'>, Iterable<readonly [string, number]>>>(true);
  assert.ok(true);
});

test('decode() and encode() are typed by a text, a parsed type, or not at all', () => {
  const parsed = parseType('(su)');
  holds<Equal<typeof parsed, Type<'(su)'>>>(true);
  const bytes = encode(parsed, ['a', 5]);
  const [text, number] = decode(parsed, bytes);
  holds<Equal<[typeof text, typeof number], [string, number]>>(true);
  const anyText: string = parsed.text;
  const untyped = decode(anyText, bytes);
  holds<Equal<typeof untyped, unknown>>(true);
  // @ts-expect-error a number is not a string
  assert.throws(() => encode('(su)', [5, 5]));
  // What was decoded can be encoded.
  encode('a(s(taya{sv}))', decode('a(s(taya{sv}))', new Uint8Array()));
});
