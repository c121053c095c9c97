/** Unsigned LEB128 as the operations of a part have it: seven bits to a byte, the lowest first, the top bit set if more follow. */
import { FormatError } from '../../bytes/errors.ts';

/** Bytes of the longest one. */
export const MAX_VARINT_SIZE = 10;

export interface Varint {
  readonly value: number;
  /** Where it ends. */
  readonly end: number;
}

/**
 * Reads the number at `at`.
 * @throws FormatError for one that is cut short, or that is 2^53 or more: no offset or size of ours can be.
 */
export function decodeVarint(bytes: Uint8Array, at: number, format: string, field: string): Varint {
  let value = 0;
  for (let i = 0; i < MAX_VARINT_SIZE; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    if (value > Number.MAX_SAFE_INTEGER) throw new FormatError(format, field, 'more than 2^53 - 1');
    return { value, end: at + i + 1 };
  }
  throw new FormatError(format, field, 'Unexpected EOF reading varint');
}

/** Appends the bytes of a safe integer to `out`. */
export function encodeVarint(value: number, out: number[]): void {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) | 0x80);
  out.push(rest);
}
