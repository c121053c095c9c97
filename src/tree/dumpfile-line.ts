/**
 * One line of composefs-dump(5), split into its fields without making strings of those that are numbers.
 *
 *     PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [KEY=VALUE]...
 *
 * Fields are separated by exactly one space; missing trailing fields are empty. Messages are those of C `mkcomposefs`.
 */
import { FormatError } from '../../bytes/errors.ts';
import { unescapeField } from './dumpfile-escapes.ts';

const SPACE = 0x20;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const ZERO = 0x30;
const MAX_U64 = 2n ** 64n - 1n;
const NO_BYTES = Buffer.alloc(0);

export class DumpLine {
  bytes: Buffer = NO_BYTES;
  /** 1-based. */
  number = 0;
  /** Where the line ends: its line feed, or the end of the bytes. */
  end = 0;
  /** Where the next field starts; past `end` when none is left. */
  next = 0;
  /** The field taken last: its range, whether it holds a backslash, and the position of its last slash (-1). */
  from = 0;
  to = 0;
  escaped = false;
  slash = -1;

  /** Goes to the next line, which is this range of `bytes`. */
  begin(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.number++;
    this.end = end;
    this.next = start;
  }

  /** Lets go of the bytes, which their owner may change. */
  release(): void {
    this.bytes = NO_BYTES;
  }

  readonly fail = (problem: string): FormatError => new FormatError('composefs dump', `line ${this.number}`, problem);

  /** Takes the next field. */
  take(): void {
    const { bytes, end } = this;
    let at = this.next < end ? this.next : end;
    let slash = -1;
    let escaped = false;
    this.from = at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === SPACE) break;
      if (byte === SLASH) slash = at;
      else if (byte === BACKSLASH) escaped = true;
    }
    this.to = at;
    this.next = at + 1;
    this.slash = slash;
    this.escaped = escaped;
  }

  /** Skips fields. */
  skip(count: number): void {
    for (let i = 0; i < count; i++) this.take();
  }

  /** The raw text of the field taken last. */
  text(): string {
    return this.bytes.toString('latin1', this.from, this.to);
  }

  /** The field taken last without its escapes. */
  unescaped(): string {
    return this.escaped ? unescapeField(this.text(), this.fail) : this.text();
  }

  /** True when the field taken last is the lone dash that stands for nothing. */
  isDash(): boolean {
    return this.to - this.from === 1 && this.bytes[this.from] === 0x2d;
  }

  /** The text after the last field. */
  rest(): string {
    return this.next < this.end ? this.bytes.toString('latin1', this.next, this.end) : '';
  }

  /** Takes plain digits followed by `terminator` or the line's end; -1 (and takes nothing) for anything else. */
  #digits(terminator: number, base: 8 | 10): number {
    const { bytes, end } = this;
    const from = this.next;
    let at = from;
    let value = 0;
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit >= base) break;
      value = value * base + digit;
    }
    const length = at - from;
    if (length <= 0 || length > 15 || (at < end && bytes[at] !== terminator)) return -1;
    this.next = at + 1;
    return value;
  }

  /** Takes an unsigned number; above 2^53 it is rounded. */
  unsigned(base: 8 | 10 = 10): number {
    const value = this.#digits(SPACE, base);
    if (value >= 0) return value;
    this.take();
    return Number(this.#strtoull(this.text(), base));
  }

  /** Takes an unsigned number, of which C keeps the low 32 bits. */
  u32(): number {
    const value = this.#digits(SPACE, 10);
    if (value >= 0 && value <= 0xffffffff) return value;
    if (value >= 0) return value % 2 ** 32;
    this.take();
    return Number(BigInt.asUintN(32, this.#strtoull(this.text(), 10)));
  }

  /** Takes a time; `last` is given back instead of an equal value, which saves making one. */
  mtime(last: Mtime): Mtime {
    const start = this.next;
    const seconds = this.#digits(0x2e, 10);
    if (seconds >= 0 && this.bytes[this.next - 1] === 0x2e && this.next <= this.end) {
      const nanoseconds = this.u32();
      if (seconds === last.small && nanoseconds === last.nsec) return last;
      return { small: seconds, sec: BigInt(seconds), nsec: nanoseconds };
    }
    this.next = start;
    this.take();
    const text = this.text();
    const point = text.indexOf('.');
    const sec = BigInt.asIntN(64, this.#strtoull(point < 0 ? text : text.slice(0, point), 10));
    const nsec = this.#strtoull(point < 0 ? '' : text.slice(point + 1), 10);
    return { small: -1, sec, nsec: Number(BigInt.asUintN(32, nsec)) };
  }

  /** Blanks, a sign and digits; `-n` wraps, too large a number saturates. */
  #strtoull(text: string, base: 8 | 10): bigint {
    const match = (base === 10 ? /^[\t\v\f\r]*([+-]?)0*([0-9]+)$/ : /^[\t\v\f\r]*([+-]?)0*([0-7]+)$/).exec(text);
    if (match === null) throw this.fail(`Invalid integer ${text}`);
    const digits = match[2]!;
    if (digits.length > 22) return MAX_U64;
    const value = BigInt(base === 8 ? `0o${digits}` : digits);
    if (value > MAX_U64) return MAX_U64;
    return match[1] === '-' ? BigInt.asUintN(64, -value) : value;
  }
}

export interface Mtime {
  /** The seconds as a number when they are a short run of digits, else -1. */
  readonly small: number;
  readonly sec: bigint;
  readonly nsec: number;
}

export const EPOCH: Mtime = { small: 0, sec: 0n, nsec: 0 };
