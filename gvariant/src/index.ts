/** The public names of the package. Inside a larger project, import the file that defines a name instead. */
export { bisect, GVariantArray, materialize } from './array.ts';
export { byteswap } from './byteswap.ts';
export { decode, lookup, type ByteOrder, type CodecOptions } from './decode.ts';
export { encode } from './encode.ts';
export { GVariantError } from './error.ts';
export { checkNormal, isNormal } from './normal.ts';
export { parse } from './parse.ts';
export { print, type PrintOptions } from './print.ts';
export { MAX_DEPTH, parseType, type Type } from './type.ts';
export { Just, Variant, type Decoded, type Encodable } from './value.ts';
