/** Values whose writer and reader disagreed on byte order. */
import { decode } from './decode.ts';
import { encode } from './encode.ts';
import { parseType, type Type } from './type.ts';
import type { Decoded, Encodable } from './value.ts';

/**
 * Reverses the bytes of every number wider than a byte, also inside variants: what the same bytes decode to in the
 * other byte order. Strings, bytes and booleans stay.
 */
export function byteswap<const Text extends string>(type: Text | Type<Text>, value: Encodable<Text>): Decoded<Text> {
  const parsed = parseType(type);
  return decode(parsed, encode(parsed, value), { byteOrder: 'big' });
}
