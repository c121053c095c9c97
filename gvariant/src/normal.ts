/** Whether bytes are in normal form, without building their value. */
import { GVariantError } from './error.ts';
import { Input } from './frame.ts';
import { readChild } from './reader.ts';
import { parseType, type Type } from './type.ts';

/**
 * Checks all of a serialised value. Normal form does not depend on byte order.
 *
 * @throws GVariantError that says where and why, when the bytes are not the normal form of a value of this type.
 */
export function checkNormal(type: string | Type, bytes: Uint8Array): void {
  readChild(parseType(type), false, new Input(bytes, true), 0, bytes.byteLength, 0);
}

/** @throws GVariantError only when the type string itself is invalid. */
export function isNormal(type: string | Type, bytes: Uint8Array): boolean {
  const parsed = parseType(type);
  try {
    checkNormal(parsed, bytes);
    return true;
  } catch (error) {
    if (error instanceof GVariantError) return false;
    throw error;
  }
}
