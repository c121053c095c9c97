/** One file from the first of its mirrors that gives it: rounds, attempts, resuming, and what the failures add up to. */
import { CfsError, FetchError, NotFoundError } from '../../bytes/errors.ts';
import { backoff, Failure } from './failure.ts';
import type { Mirrors } from './mirrors.ts';
import { reserveBytes } from './rate-limit.ts';
import type { Answer, Requester } from './requester.ts';
import { contentLength, Progress } from './resume.ts';
import { countReceived } from './traffic.ts';
import { joinUrl, withoutCredentials } from './url.ts';
import { sleep, untilAborted } from './wait.ts';

/** New bytes in a round that make it count as progress, after which retries are counted anew. */
const REAL_PROGRESS = 256 * 1024;

export interface FetchRequest {
  /** Below a base, sent as it is; empty for the base itself. */
  readonly path: string;
  /** Base URLs of mirrors, the preferred first. User and password in one go to that origin only. */
  readonly bases: readonly string[];
  /** Validators of a copy that is already there: an unchanged file is answered by status 304. */
  readonly etag?: string;
  readonly lastModified?: string;
  /** The file is named by its content: a broken transfer may go on at another mirror. */
  readonly immutable?: boolean;
  /** Instead of the transport's. */
  readonly retries?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Sink {
  write(chunk: Uint8Array): void | Promise<void>;
  /** Everything written so far must be forgotten: the file begins again. */
  restart(): void | Promise<void>;
}

export interface FetchResult {
  /** 304 only if the request had validators. */
  readonly status: 200 | 304;
  /** As sent by the server, for the next request's validators. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Where it came from in the end, without credentials. */
  readonly url: string;
  /** The base among those of the request, with its credentials if it has some. */
  readonly base: string;
  readonly attempts: number;
  /** True if the body was joined from several responses. */
  readonly joined: boolean;
}

/** What the receiver threw, on its way out through the retries. */
class SinkError {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

export class Fetch {
  readonly #requester: Requester;
  readonly #mirrors: Mirrors;
  readonly #request: FetchRequest;
  readonly #sink: Sink;
  readonly #limit: number;
  readonly #closing: AbortSignal;
  readonly #stop = new AbortController();
  readonly #progress: Progress;
  /** Milliseconds without a byte by mirror, since the last byte from it. */
  readonly #idle = new Map<string, number>();
  /** When a mirror that asked for a wait may be asked again, on the clock of `performance`. */
  readonly #notBefore = new Map<string, number>();
  /** How each mirror failed last, the latest at the end. */
  readonly #answers = new Map<string, Failure>();
  #attempts = 0;
  /** The most bytes that were ever held. */
  #farthest = 0;
  #url = '';

  constructor(
    requester: Requester,
    mirrors: Mirrors,
    request: FetchRequest,
    sink: Sink,
    limit: number,
    closing: AbortSignal,
  ) {
    this.#requester = requester;
    this.#mirrors = mirrors;
    this.#request = request;
    this.#sink = sink;
    this.#limit = limit;
    this.#closing = closing;
    this.#progress = new Progress(request.immutable === true);
    this.#url = describe(request);
  }

  async run(): Promise<FetchResult> {
    const { signal } = this.#request;
    const { deadline } = this.#requester.settings;
    const cancel = (): void => this.#stop.abort(cancelled(this.#url, signal?.reason));
    const close = (): void => this.#stop.abort(this.#closing.reason);
    const expire = (): void => {
      this.#stop.abort(new FetchError(this.#url, `not done within ${deadline / 1000} s`, this.#attempts));
    };
    const timer = deadline > 0 ? setTimeout(expire, deadline) : undefined;
    signal?.addEventListener('abort', cancel, { once: true });
    this.#closing.addEventListener('abort', close, { once: true });
    try {
      if (signal?.aborted === true) cancel();
      this.#stop.signal.throwIfAborted();
      return await this.#rounds();
    } catch (error) {
      throw error instanceof SinkError ? error.error : error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      this.#closing.removeEventListener('abort', close);
    }
  }

  async #rounds(): Promise<FetchResult> {
    const { backoff: first, backoffMax } = this.#requester.settings;
    const { bases, retries = this.#requester.settings.retries } = this.#request;
    let extra = 0;
    for (let round = 0; ; round++) {
      const successes = this.#mirrors.successes(bases);
      const farthest = this.#farthest;
      for (const base of this.#mirrors.order(bases)) {
        const before = this.#answers.get(base);
        if (before !== undefined && (before.kind !== 'transient' || this.#waitFor(base) > 0)) continue;
        const result = await this.#attempt(base);
        if (!(result instanceof Failure)) return result;
        this.#answers.delete(base);
        this.#answers.set(base, result);
      }
      const open = Array.from(this.#answers).filter(([, { kind }]) => kind === 'transient');
      if (open.length === 0) break;
      if (this.#farthest - farthest >= REAL_PROGRESS) round = 0;
      // A mirror that serves others meanwhile is worth as many tries again.
      const worthwhile = this.#mirrors.successes(bases) > successes && extra < retries;
      if (round >= retries && !worthwhile) break;
      if (round >= retries) extra++;
      const asked = Math.min(...open.map(([base]) => this.#waitFor(base)));
      await sleep(backoff(round, first, backoffMax, asked), this.#stop.signal);
    }
    throw this.#verdict(Array.from(this.#answers.values()));
  }

  /** Milliseconds until a mirror wants to be asked again. */
  #waitFor(base: string): number {
    return Math.max(0, (this.#notBefore.get(base) ?? 0) - performance.now());
  }

  /** "Not found" only if every mirror says so: one that did not answer may have it. */
  #verdict(answers: readonly Failure[]): CfsError {
    const last = answers.at(-1) ?? new Failure('permanent', 'there is no URL to fetch it from');
    if (answers.length > 0 && answers.every(({ kind }) => kind === 'missing')) {
      return new NotFoundError(`Cannot fetch ${this.#url}: ${last.message}`, {
        url: this.#url,
        status: last.facts.status,
      });
    }
    const telling = answers.findLast(({ kind }) => kind !== 'missing') ?? last;
    const { status, cause, final } = telling.facts;
    if (final !== undefined) return final;
    const problem = telling === last ? last.message : `${last.message}; another mirror: ${telling.message}`;
    return new FetchError(this.#url, problem, this.#attempts, status, cause);
  }

  async #attempt(base: string): Promise<FetchResult | Failure> {
    const { watchdog } = this.#requester.settings;
    const url = joinUrl(base, this.#request.path);
    this.#url = withoutCredentials(url.href);
    this.#attempts++;
    const idleBefore = this.#idle.get(base) ?? 0;
    const before = this.#progress.received;
    let answer: Answer | undefined;
    try {
      const range = this.#progress.headers(base);
      const fields = this.#progress.received === 0 ? this.#conditions() : range;
      answer = await this.#requester.get(url, fields, Math.max(1, watchdog - idleBefore), this.#stop.signal);
      const result = await this.#receive(base, answer, 'range' in fields);
      this.#mirrors.succeeded(base);
      return result;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { status, retryAfter = 0 } = error.facts;
      if (status === 416) this.#progress.refuse();
      const gained = this.#progress.received > before;
      this.#farthest = Math.max(this.#farthest, this.#progress.received);
      this.#idle.set(base, (gained ? 0 : idleBefore) + error.idle);
      this.#notBefore.set(base, performance.now() + retryAfter);
      if (error.kind === 'missing') this.#mirrors.succeeded(base);
      else this.#mirrors.failed(base);
      return this.#outOfPatience(base, error);
    } finally {
      answer?.[Symbol.dispose]();
    }
  }

  /** A mirror that stayed silent for the watchdog's time, or asks for too long a wait, is not asked again for this file. */
  #outOfPatience(base: string, failure: Failure): Failure {
    const { watchdog, retryAfterMax } = this.#requester.settings;
    const { kind, message, facts } = failure;
    if (kind !== 'transient') return failure;
    if ((this.#idle.get(base) ?? 0) >= watchdog) {
      return new Failure('permanent', `No progress for ${watchdog / 1000} s: ${message}`, facts);
    }
    const { retryAfter = 0 } = facts;
    if (retryAfter <= retryAfterMax) return failure;
    return new Failure('permanent', `${message}, and asks to wait ${Math.round(retryAfter / 1000)} s`, facts);
  }

  #conditions(): Record<string, string> {
    const { etag, lastModified } = this.#request;
    return {
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
      ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
    };
  }

  async #receive(base: string, answer: Answer, askedForPart: boolean): Promise<FetchResult> {
    const { status, headers } = answer.head;
    const { etag, 'last-modified': lastModified } = headers;
    const held = this.#progress.received;
    const unchanged = status === 304;
    if (unchanged && (held > 0 || Object.keys(this.#conditions()).length === 0)) {
      throw new Failure('transient', 'Server returned HTTP 304 (Not Modified) unasked', { status });
    }
    if (!unchanged) {
      const goesOn = this.#progress.accept(base, askedForPart, answer.head);
      if (!goesOn && held > 0) await this.#give(() => this.#sink.restart());
      this.#checkSize((goesOn ? held : 0) + (contentLength(headers) ?? 0));
      await this.#copy(answer);
    }
    return {
      status: unchanged ? 304 : 200,
      etag,
      lastModified,
      url: answer.url,
      base,
      attempts: this.#attempts,
      joined: this.#progress.joined,
    };
  }

  async #copy(answer: Answer): Promise<void> {
    const progress = this.#progress;
    const { rateLimit, traffic } = this.#requester.settings;
    for (let chunk = await answer.next(); chunk !== undefined; chunk = await answer.next()) {
      if (traffic !== undefined) countReceived(traffic, chunk.length);
      this.#checkSize(progress.received + chunk.length);
      const wait = rateLimit === undefined ? 0 : reserveBytes(rateLimit, chunk.length);
      if (wait > 0) await sleep(wait, this.#stop.signal);
      const bytes = chunk;
      await this.#give(() => this.#sink.write(bytes));
      progress.received += bytes.length;
    }
    if (progress.total !== undefined && progress.received !== progress.total) {
      throw new Failure('transient', `The transfer ended at byte ${progress.received} of ${progress.total}`, {
        connection: true,
      });
    }
  }

  async #give(call: () => void | Promise<void>): Promise<void> {
    try {
      const done = call();
      if (done !== undefined) await untilAborted(done, this.#stop.signal);
    } catch (error) {
      throw this.#stop.signal.aborted ? error : new SinkError(error);
    }
    this.#stop.signal.throwIfAborted();
  }

  #checkSize(size: number): void {
    if (size <= this.#limit) return;
    const [url, limit] = [this.#url, this.#limit];
    const problem = `URI ${url} exceeded maximum size of ${limit} bytes`;
    throw new Failure('permanent', problem, { final: new CfsError('LIMIT', problem, { url, limit }) });
  }
}

function cancelled(url: string, reason: unknown): CfsError {
  return new CfsError('CANCELLED', `Cancelled fetching ${url}`, { url }, reason);
}

function describe({ bases: [base = ''], path }: FetchRequest): string {
  return withoutCredentials(path === '' ? base : `${base}/${path}`);
}
