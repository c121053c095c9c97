/** GVariant as OSTree objects use it: normal form or an error that names the object and the field. */
import { FormatError } from '../bytes/errors.ts';
import { decode } from '../gvariant/src/decode.ts';
import { GVariantError } from '../gvariant/src/error.ts';
import { checkNormal } from '../gvariant/src/normal.ts';
import type { Decoded } from '../gvariant/src/value.ts';

/**
 * Decodes bytes that must be normal form in every corner; `FormatError` naming `field`. Numbers are read little-endian: what OSTree stores
 * big-endian is swapped by the caller, since what users put into metadata is not.
 */
export function decodeNormal<const Text extends string>(
  type: Text,
  bytes: Uint8Array,
  format: string,
  field: string = type,
): Decoded<Text> {
  return normalForm(format, field, () => {
    checkNormal(type, bytes);
    return decode(type, bytes);
  });
}

/** Runs `read`, which decodes GVariant lazily or at once; what it finds not to be normal form is a `FormatError`. */
export function normalForm<Value>(format: string, field: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GVariantError)) throw error;
    throw new FormatError(format, field, `Not normal form: '${error.type}': ${error.problem}`, error.offset, error);
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** `value`, an unsigned 64-bit number, with its bytes in the other order. */
export function swap64(value: bigint): bigint {
  scratch.setBigUint64(0, value);
  return scratch.getBigUint64(0, true);
}
