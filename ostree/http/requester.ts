/** One GET with its redirects: who is asked, with which header fields, and who gets the answer. */
import { type Base, hrefOf, type Target } from './base.ts';
import { Exchange, type Head, type Receiver } from './exchange.ts';
import { Failure, isClosing, parseRetryAfter, SinkError, statusFailure, transportFailure } from './failure.ts';
import type { Lane } from './lane.ts';
import type { Settings } from './options.ts';
import type { Origins } from './origins.ts';
import type { RequestHeaders } from './request-headers.ts';
import { SpeedWatch } from './speed-watch.ts';
import { takeCredentials } from './url.ts';

/** Bytes of an unwelcome answer that are read to keep its connection. */
const DRAIN = 64 * 1024;
const redirects = new Set([301, 302, 303, 307, 308]);

/** How often a request is made again at once because its connection was closed in front of the response. */
const MAX_AGAIN = 8;

export const noFields: Readonly<Record<string, string>> = {};

/** A request below one base. */
export interface Get {
  readonly base: Base;
  readonly target: Target;
  /** Besides those that every request has. */
  readonly fields: Readonly<Record<string, string>>;
  /** Milliseconds that an answer may be silent. */
  readonly patience: number;
  /** Of this file, counted from 1. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export class Requester {
  readonly settings: Settings;
  readonly #origins: Origins;
  readonly #headers: RequestHeaders;
  readonly #speed: SpeedWatch;

  constructor(settings: Settings, origins: Origins, headers: RequestHeaders) {
    this.settings = settings;
    this.#origins = origins;
    this.#headers = headers;
    this.#speed = new SpeedWatch(settings);
  }

  /**
   * Gives `receiver` the answer, of status 200, 206 or 304, to its end.
   * @throws Failure; what the receiver throws; the reason of the signal; CfsError USAGE and I/O errors of what is misconfigured.
   */
  async get(get: Get, receiver: Receiver): Promise<void> {
    const { base, target, signal } = get;
    const own = this.#headers.for(target, true, base.credentials);
    let other = await this.#ask(get, target, own, receiver);
    if (other === undefined) return;
    const seen = new Set([hrefOf(target)]);
    let at = target;
    let trusted = true;
    while (other !== undefined) {
      signal.throwIfAborted();
      const { status, headers } = other;
      if (!redirects.has(status)) {
        throw statusFailure(status, parseRetryAfter(headers['retry-after']), this.settings.retryAll);
      }
      const next = this.#follow(at, other, seen);
      trusted &&= next.origin === at.origin;
      at = next;
      seen.add(hrefOf(at));
      other = await this.#ask(
        get,
        at,
        this.#headers.for(at, trusted, trusted ? base.credentials : undefined),
        receiver,
      );
    }
  }

  /** Gives the head of an answer that is not for the receiver. */
  async #ask(
    { fields, patience, attempt, signal }: Get,
    { origin, path }: Target,
    own: Readonly<Record<string, string>>,
    receiver: Receiver,
  ): Promise<Head | undefined> {
    const server = this.#origins.get(origin);
    const { lane } = server;
    const wait = lane.enter(signal, attempt);
    if (wait !== undefined) await wait;
    try {
      const headers = fields === noFields ? own : { ...own, ...fields };
      for (let again = MAX_AGAIN; ; again--) {
        const sieve = new Sieve(receiver, lane);
        const exchange = new Exchange(sieve, this.#speed, patience, signal);
        try {
          try {
            server.dispatch({ origin, path, method: 'GET', headers, blocking: false }, exchange);
          } catch (error) {
            exchange.fail(error);
          }
          await exchange.over;
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          // The server has closed a connection that had served before: that says nothing about this request.
          if (again > 0 && exchange.onUsedConnection && !exchange.hasBegun && isClosing(error)) continue;
          if (sieve.other === undefined) throw this.#failure(error, exchange, lane);
        }
        return sieve.other;
      }
    } finally {
      lane.release();
    }
  }

  #failure(error: unknown, exchange: Exchange, lane: Lane): unknown {
    if (error instanceof SinkError) return error;
    const failure = transportFailure(error, this.settings.retryAll);
    failure.idle = exchange.idle;
    if (failure.facts.connection === true) lane.connectionFailed();
    return failure;
  }

  #follow(from: Target, { status, headers }: Head, seen: ReadonlySet<string>): Target {
    const { maxRedirects, insecureRedirects } = this.settings;
    const fail = (problem: string): never => {
      throw new Failure('permanent', problem, { status });
    };
    const location = headers.location ?? fail(`Server returned HTTP ${status} without a location`);
    const to = URL.parse(location, from.origin + from.path) ?? fail('Redirected to something that is no URL');
    takeCredentials(to);
    if (to.protocol !== 'http:' && to.protocol !== 'https:') fail(`Redirected to ${to.protocol}//, which is not HTTP`);
    const next = { origin: to.origin, path: to.pathname + to.search };
    if (seen.has(hrefOf(next))) fail(`Redirected in a loop to ${to.origin}${to.pathname}`);
    if (seen.size > maxRedirects) fail(`Redirected more than ${maxRedirects} times`);
    if (from.origin.startsWith('https:') && to.protocol === 'http:' && !insecureRedirects) {
      fail(`Redirected from https to ${to.origin}, which is not secure`);
    }
    return next;
  }
}

/** Passes on the answer that was asked for. Of any other one it keeps the head, and reads a short body to its end. */
class Sieve implements Receiver {
  other: Head | undefined;
  readonly #receiver: Receiver;
  readonly #lane: Lane;
  #drained = 0;

  constructor(receiver: Receiver, lane: Lane) {
    this.#receiver = receiver;
    this.#lane = lane;
  }

  begin(head: Head): void | Promise<void> {
    this.#lane.connectionWorked();
    const { status } = head;
    if (status === 200 || status === 206 || status === 304) return this.#receiver.begin(head);
    this.other = head;
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.other === undefined) return this.#receiver.write(chunk);
    this.#drained += chunk.length;
    if (this.#drained > DRAIN) throw new Error('The rest is not wanted');
  }
}
