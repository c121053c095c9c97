/** Strings, object paths and signatures: UTF-8 bytes, no NUL inside, one NUL at the end. */
import { GVariantError } from './error.ts';
import type { Input } from './frame.ts';
import { scanType } from './type.ts';

// A byte order mark is a character like any other here; without ignoreBOM it would disappear.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this many bytes, building a string from character codes is faster than calling the decoder. */
const SHORT = 24;

const isPath = (text: string): boolean => /^\/(?:[A-Za-z0-9_]+(?:\/[A-Za-z0-9_]+)*)?$/.test(text);

function isSignature(text: string): boolean {
  // Signatures come from D-Bus, which has no maybe.
  if (!/^[ybnqiuxthdvasog(){}]*$/.test(text)) return false;
  try {
    for (let at = 0; at < text.length;) at += scanType(text, at).text.length;
    return true;
  } catch (error) {
    if (error instanceof GVariantError) return false;
    throw error;
  }
}

/** What is wrong with `text` as a value of this kind, or undefined when nothing is. */
export function stringProblem(kind: string, text: string): string | undefined {
  if (text.includes('\0')) return 'NUL inside a string';
  if (kind === 'objectpath' && !isPath(text)) return 'not an object path';
  if (kind === 'signature' && !isSignature(text)) return 'not a signature';
  return undefined;
}

/** First byte from `start` that is not the beginning of a valid UTF-8 sequence (or is NUL); `end` when all are. */
function firstInvalid(bytes: Uint8Array, start: number, end: number): number {
  const byte = (at: number): number => (at < end ? (bytes[at] ?? 0) : 0);
  let at = start;
  while (at < end) {
    const lead = byte(at);
    let more: number;
    // Bounds of the second byte shut out overlong forms, surrogates and anything past U+10FFFF.
    let low = 0x80;
    let high = 0xbf;
    if (lead >= 0x01 && lead <= 0x7f) more = 0;
    else if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    } else return at;
    if (more > 0 && (byte(at + 1) < low || byte(at + 1) > high)) return at;
    for (let next = at + 2; next <= at + more; next++) if ((byte(next) & 0xc0) !== 0x80) return at;
    at += more + 1;
  }
  return end;
}

function end0(input: Input, type: string, start: number, end: number): number {
  if (end <= start || input.bytes[end - 1] !== 0) throw new GVariantError(type, 'string without NUL at its end', start);
  return end - 1;
}

/** Validates a string without building it. */
export function checkString(input: Input, type: string, start: number, end: number): void {
  const last = end0(input, type, start, end);
  const bad = firstInvalid(input.bytes, start, last);
  if (bad === last) return;
  throw new GVariantError(type, input.bytes[bad] === 0 ? 'NUL inside a string' : 'invalid UTF-8', bad);
}

/** Reads a string with its NUL, from `start` to `end`. */
export function readString(input: Input, type: string, start: number, end: number): string {
  const last = end0(input, type, start, end);
  const { bytes } = input;
  if (last - start <= SHORT) {
    let text = '';
    let at = start;
    for (; at < last; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === 0 || byte > 0x7f) break;
      text += String.fromCharCode(byte);
    }
    if (at === last) return text;
  }
  const nul = bytes.indexOf(0, start);
  if (nul < last) throw new GVariantError(type, 'NUL inside a string', nul);
  try {
    return utf8.decode(bytes.subarray(start, last));
  } catch {
    throw new GVariantError(type, 'invalid UTF-8', firstInvalid(bytes, start, last));
  }
}
