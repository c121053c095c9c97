/**
 * Bytes to values, strictly: anything that is not in normal form is an error, never a default.
 *
 * | type | value |
 * |---|---|
 * | `b` | boolean |
 * | `y n q i u h d` | number |
 * | `x t` | bigint |
 * | `s o g` | string |
 * | `v` | {@link Variant} `{ type, value }` |
 * | `ay` | Uint8Array, a view of the input |
 * | array of other letters of fixed size | plain array |
 * | any other array | {@link GVariantArray}, read on demand |
 * | `mT` | null or the value; {@link Just} around it when T is itself a maybe |
 * | tuple, dict entry | array of the members |
 */
import { Input } from './frame.ts';
import { readChild } from './reader.ts';
import { parseType, type Type } from './type.ts';
import { Variant, type Decoded } from './value.ts';

/** A serialised value says nothing about its byte order; framing offsets are little-endian in either. */
export type ByteOrder = 'little' | 'big';

export interface CodecOptions {
  /** Byte order of numbers wider than a byte; default little. */
  readonly byteOrder?: ByteOrder;
}

/**
 * Decodes one value that takes up all of `bytes` (which may lie at any address).
 *
 * Elements of a {@link GVariantArray} are read, and checked, when they are asked for; `checkNormal` checks everything.
 * The bits of a NaN beyond its being one are not kept.
 *
 * @throws GVariantError when the type string is invalid or the bytes are not its normal form.
 */
export function decode<const Text extends string>(
  type: Text | Type<Text>,
  bytes: Uint8Array,
  options: CodecOptions = {},
): Decoded<Text> {
  const input = new Input(bytes, options.byteOrder !== 'big');
  return readChild(parseType(type), true, input, 0, bytes.byteLength, 0) as Decoded<Text>;
}

/**
 * Value of the first entry `key` of a decoded `a{sv}`, if its type is exactly `type`; otherwise undefined, as for a
 * key that is not there.
 */
export function lookup<const Text extends string>(
  dict: Iterable<readonly [string, unknown]>,
  key: string,
  type: Text,
): Decoded<Text> | undefined {
  for (const [name, variant] of dict) {
    if (name === key)
      return variant instanceof Variant && variant.type === type ? (variant.value as Decoded<Text>) : undefined;
  }
  return undefined;
}
