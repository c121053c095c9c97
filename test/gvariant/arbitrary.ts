/** Random types, and random values of a type, in the form `materialize(decode(…))` gives them. */
import fc from 'fast-check';
import { parseType, type Type } from '../../gvariant/src/type.ts';
import { Just, Variant } from '../../gvariant/src/value.ts';

const basic = fc.constantFrom(...Array.from('bynqiuhxtdsog'));

const { type } = fc.letrec<{ type: string; tuple: string; entry: string }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    basic,
    fc.constant('v'),
    fc.constantFrom('ay', 'as', 'a{sv}'),
    tie('type').map((element) => `a${element}`),
    tie('type').map((element) => `m${element}`),
    tie('tuple'),
    tie('entry'),
  ),
  tuple: fc.array(tie('type'), { maxLength: 4 }).map((members) => `(${members.join('')})`),
  entry: fc.tuple(basic, tie('type')).map(([key, value]) => `{${key}${value}}`),
}));

export const anyType: fc.Arbitrary<string> = type;

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }).map((string) => string.replaceAll('\0', '')),
  fc.string({ maxLength: 40 }),
);
const path = fc
  .array(fc.stringMatching(/^[A-Za-z0-9_]{1,4}$/), { maxLength: 3 })
  .map((elements) => `/${elements.join('/')}`);
const signature = fc.array(
  type.filter((one) => !one.includes('m')),
  { maxLength: 2 },
);

/** Any value of a type; variants inside hold values of simple types. */
export function valueOf(type: Type): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'boolean':
      return fc.boolean();
    case 'byte':
      return fc.nat(0xff);
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff });
    case 'uint16':
      return fc.nat(0xffff);
    case 'int32':
    case 'handle':
      return fc.integer();
    case 'uint32':
      return fc.nat(0xffffffff);
    case 'int64':
      return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    case 'uint64':
      return fc.bigInt(0n, 2n ** 64n - 1n);
    case 'double':
      return fc.double();
    case 'string':
      return text;
    case 'objectpath':
      return path;
    case 'signature':
      return signature.map((types) => types.join(''));
    case 'variant':
      return fc
        .constantFrom('b', 'n', 's', 'v', 'ay', 'as', 'mms', 'a{sv}', '(ysd)', '()')
        .chain((inner) => valueOf(parseType(inner)).map((value) => new Variant(inner, value)));
    case 'maybe': {
      const value = valueOf(type.element);
      return fc.option(type.element.kind === 'maybe' ? value.map((inner) => new Just(inner)) : value);
    }
    case 'array':
      // Long ones now and then, so that offsets get wider than a byte.
      if (type.element.kind === 'byte') {
        return fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ minLength: 250, maxLength: 262 }));
      }
      return fc.array(valueOf(type.element), { maxLength: 5 });
    default:
      return fc.tuple(...type.members.map(valueOf));
  }
}

/** A random type with a random value of it. */
export const typedValue: fc.Arbitrary<readonly [string, unknown]> = anyType.chain((type) =>
  valueOf(parseType(type)).map((value) => [type, value] as const),
);

/** A few edits of bytes: what is left of a valid value after damage. */
export const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .array(fc.tuple(fc.constantFrom('set', 'insert', 'remove'), fc.nat(), fc.oneof(fc.nat(8), fc.nat(0xff))), {
    minLength: 1,
    maxLength: 3,
  })
  .map((edits) => (bytes) => {
    const list = [...bytes];
    for (const [edit, where, byte] of edits) {
      // Count from the end: that is where the offsets are.
      const at = list.length - 1 - (where % (list.length + 1));
      if (edit === 'insert') list.splice(at + 1, 0, byte);
      else if (edit === 'remove') list.splice(Math.max(at, 0), 1);
      else if (at >= 0) list[at] = byte;
    }
    return Uint8Array.from(list);
  });
