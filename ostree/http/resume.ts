/** How far a body has come, and whether the rest of it can be asked for by Range (RFC 9110 §14) instead of all of it again. */
import type { IncomingHttpHeaders } from 'node:http';
import { Failure } from './failure.ts';
import type { Head } from './exchange.ts';

/** Less than this is rather fetched again than joined. */
const WORTH_RESUMING = 64 * 1024;

export class Progress {
  readonly #immutable: boolean;
  /** Bytes that the sink holds. */
  received = 0;
  /** True if the body was joined from several responses. */
  joined = false;
  #total: number | undefined;
  /** An ETag or date that changes whenever a byte does, and where it was seen. */
  #validator: { readonly base: string; readonly value: string } | undefined;
  #refused = false;

  /** @param immutable What is fetched never changes under its name, at no mirror. */
  constructor(immutable: boolean) {
    this.#immutable = immutable;
  }

  /** The fields that ask `base` for the rest, none to ask for everything. */
  headers(base: string): Record<string, string> {
    const own = this.#validator?.base === base ? this.#validator.value : undefined;
    if (this.#refused || this.received < WORTH_RESUMING || (own === undefined && !this.#immutable)) return {};
    return { range: `bytes=${this.received}-`, ...(own === undefined ? {} : { 'if-range': own }) };
  }

  /**
   * Takes in the head of a successful answer. True if its body goes on where the bytes so far end, false if it begins at the start.
   * @throws Failure for a part that was not asked for.
   */
  accept(base: string, asked: boolean, { status, headers }: Head): boolean {
    if (status === 206) {
      const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
      const size = total === '*' ? this.#total : Number(total);
      const fits = asked && Number(from) === this.received && (this.#total === undefined || size === this.#total);
      if (!fits) {
        this.refuse();
        throw new Failure('transient', 'The server sent another part than it was asked for', { status });
      }
      this.#total = size;
      this.joined = true;
      return true;
    }
    this.received = 0;
    this.joined = false;
    this.#total = contentLength(headers);
    const value = strongValidator(headers);
    this.#validator = value === undefined ? undefined : { base, value };
    return false;
  }

  /** The bytes so far are not to be used. */
  discard(): void {
    this.received = 0;
    this.joined = false;
    this.#total = undefined;
    this.#validator = undefined;
    this.refuse();
  }

  /** Ask for everything from now on. */
  refuse(): void {
    this.#refused = true;
  }

  /** Bytes of the whole body, if the server said so. */
  get total(): number | undefined {
    return this.#total;
  }
}

/** Undefined where it is absent or not a number. */
export function contentLength(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['content-length'] ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A strong ETag, or a modification date that is old enough to be exact (RFC 9110 §8.8.2.2). */
function strongValidator(headers: IncomingHttpHeaders): string | undefined {
  const { etag, date, 'last-modified': modified } = headers;
  if (etag !== undefined) return etag.startsWith('"') ? etag : undefined;
  if (modified === undefined || date === undefined) return undefined;
  return Date.parse(date) - Date.parse(modified) >= 60_000 ? modified : undefined;
}
