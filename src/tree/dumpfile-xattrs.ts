/** The `KEY=VALUE` fields at the end of a composefs-dump(5) line. Messages are those of C `mkcomposefs`. */
import type { ByteString } from './byte-string.ts';
import { unescapeField, upToNul } from './dumpfile-escapes.ts';
import { NO_XATTRS, type Xattr } from './tree.ts';

const MAX_TEXT = 65535;
const MAX_KEY = 255;
const MAX_VALUE = 65535;
/** 12 + the sum of 7 + key + value lengths. */
const MAX_TOTAL = 32767;
/** Distinct texts that are remembered; trees have far fewer, except where every value is unique. */
const MAX_REMEMBERED = 10_000;

/** Parses the texts of one dump; equal texts give the same array. */
export class XattrTexts {
  readonly #known = new Map<string, readonly Xattr[]>();

  /** @throws what `fail` makes of C's message */
  parse(text: string, fail: (problem: string) => Error): readonly Xattr[] {
    if (text === '') return NO_XATTRS;
    let xattrs = this.#known.get(text);
    if (xattrs === undefined) {
      xattrs = parseXattrs(text, fail);
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      this.#known.set(text, xattrs);
    }
    return xattrs;
  }
}

function parseXattrs(text: string, fail: (problem: string) => Error): readonly Xattr[] {
  if (text.length > MAX_TEXT) throw fail('Too many xattrs');
  const values = new Map<ByteString, Uint8Array>();
  let total = 12;
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(' ', at);
    const end = space < 0 ? text.length : space;
    const field = text.slice(at, end);
    at = end + 1;
    const equals = field.indexOf('=');
    if (equals < 0) throw fail('Missing = in xattr');
    const name = upToNul(unescapeField(field.slice(0, equals), fail)) as ByteString;
    const value = Buffer.from(unescapeField(field.slice(equals + 1), fail), 'latin1');
    const old = values.get(name);
    total += 7 + name.length + value.length;
    if (old !== undefined) total -= 7 + name.length + old.length;
    if (name === '' || name.length > MAX_KEY || value.length > MAX_VALUE || total > MAX_TOTAL) {
      throw fail("Can't set xattr");
    }
    values.set(name, value);
  }
  return [...values.keys()].sort().map((name) => ({ name, value: values.get(name)! }));
}
