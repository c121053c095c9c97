/** One GET with its redirects: who is asked, with which header fields, and the answer's head. */
import { CfsError } from '../../bytes/errors.ts';
import { Exchange, type Head } from './exchange.ts';
import { Failure, parseRetryAfter, statusFailure, transportFailure } from './failure.ts';
import type { Lane } from './lane.ts';
import type { Settings } from './options.ts';
import type { Origins } from './origins.ts';
import type { RequestHeaders } from './request-headers.ts';
import { takeCredentials, withoutCredentials } from './url.ts';

/** Bytes of an unwelcome answer that are read to keep its connection. */
const DRAIN = 64 * 1024;
const redirects = new Set([301, 302, 303, 307, 308]);

export interface Answer extends Disposable {
  readonly url: string;
  /** Status 200, 206 or 304. */
  readonly head: Head;
  /** The next bytes of the body. @throws Failure */
  next(): Promise<Uint8Array | undefined>;
}

export class Requester {
  readonly settings: Settings;
  readonly #origins: Origins;
  readonly #headers: RequestHeaders;

  constructor(settings: Settings, origins: Origins, headers: RequestHeaders) {
    this.settings = settings;
    this.#origins = origins;
    this.#headers = headers;
  }

  /**
   * Asks for `start`, and leaves its answer's body to be read. `patience` is how long it may be silent.
   * @throws Failure; the reason of `signal`; CfsError USAGE and I/O errors of what is misconfigured.
   */
  async get(start: URL, fields: Record<string, string>, patience: number, signal: AbortSignal): Promise<Answer> {
    let url = new URL(start);
    const own = takeCredentials(url);
    const seen = new Set<string>();
    let trusted = true;
    for (;;) {
      seen.add(url.href);
      const headers = { ...this.#headers.for(url, trusted, trusted ? own : undefined), ...fields };
      const answer = await this.#ask(url, headers, patience, signal);
      if (!redirects.has(answer.head.status)) return answer;
      using _ = answer;
      const next = this.#follow(url, answer.head, seen);
      await drain(answer);
      trusted &&= next.origin === url.origin;
      url = next;
    }
  }

  async #ask(url: URL, headers: Record<string, string>, patience: number, signal: AbortSignal): Promise<Answer> {
    const { dispatcher, lane } = await this.#origins.of(url);
    await lane.enter(signal);
    const { lowSpeedLimit, lowSpeedTime, retryAll } = this.settings;
    const exchange = new Exchange({ lowSpeedLimit, lowSpeedTime, patience }, signal);
    const answer = new OpenAnswer(url.href, exchange, lane, signal, retryAll);
    try {
      dispatcher.dispatch({ origin: url.origin, path: url.pathname + url.search, method: 'GET', headers }, exchange);
      await answer.begin();
    } catch (error) {
      answer[Symbol.dispose]();
      throw answer.failure(error);
    }
    const { status, headers: fields } = answer.head;
    if (status === 200 || status === 206 || status === 304 || redirects.has(status)) return answer;
    using _ = answer;
    await drain(answer);
    throw statusFailure(status, parseRetryAfter(fields['retry-after']), retryAll);
  }

  #follow(from: URL, { status, headers }: Head, seen: ReadonlySet<string>): URL {
    const { maxRedirects, insecureRedirects } = this.settings;
    const fail = (problem: string): never => {
      throw new Failure('permanent', problem, { status });
    };
    const location = headers.location ?? fail(`Server returned HTTP ${status} without a location`);
    const to = URL.parse(location, from.href) ?? fail('Redirected to something that is no URL');
    to.hash = '';
    takeCredentials(to);
    if (to.protocol !== 'http:' && to.protocol !== 'https:') fail(`Redirected to ${to.protocol}//, which is not HTTP`);
    if (seen.has(to.href)) fail(`Redirected in a loop to ${to.origin}${to.pathname}`);
    if (seen.size > maxRedirects) fail(`Redirected more than ${maxRedirects} times`);
    if (from.protocol === 'https:' && to.protocol === 'http:' && !insecureRedirects) {
      fail(`Redirected from https to ${to.origin}, which is not secure`);
    }
    return to;
  }
}

class OpenAnswer implements Answer {
  readonly url: string;
  readonly #exchange: Exchange;
  readonly #lane: Lane;
  readonly #signal: AbortSignal;
  readonly #retryAll: boolean;
  #head: Head | undefined;
  #released = false;

  constructor(url: string, exchange: Exchange, lane: Lane, signal: AbortSignal, retryAll: boolean) {
    this.url = withoutCredentials(url);
    this.#exchange = exchange;
    this.#lane = lane;
    this.#signal = signal;
    this.#retryAll = retryAll;
  }

  get head(): Head {
    if (this.#head === undefined) throw new Error('No answer has begun');
    return this.#head;
  }

  async begin(): Promise<void> {
    this.#head = await this.#exchange.head();
    this.#lane.connectionWorked();
  }

  async next(): Promise<Uint8Array | undefined> {
    try {
      return await this.#exchange.next();
    } catch (error) {
      throw this.failure(error);
    }
  }

  failure(error: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    if (error instanceof CfsError) return error;
    const failure = transportFailure(error, this.#retryAll);
    failure.idle = this.#exchange.idle;
    if (failure.facts.connection === true) this.#lane.connectionFailed();
    return failure;
  }

  [Symbol.dispose](): void {
    if (!this.#exchange.isComplete) this.#exchange.fail(new Error('The rest is not wanted'));
    if (!this.#released) this.#lane.release();
    this.#released = true;
  }
}

/** Reads a short body to its end; its errors do not matter. */
async function drain(answer: Answer): Promise<void> {
  try {
    let bytes = 0;
    for (let chunk = await answer.next(); chunk !== undefined; chunk = await answer.next()) {
      bytes += chunk.length;
      if (bytes > DRAIN) return;
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}
