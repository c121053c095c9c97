/** One file from the first of its mirrors that gives it: rounds, attempts, resuming, and what the failures add up to. */
import { CfsError, FetchError, NotFoundError } from '../../bytes/errors.ts';
import { Base, hrefOf, type Target } from './base.ts';
import type { Head, Receiver } from './exchange.ts';
import { backoff, Failure, SinkError } from './failure.ts';
import type { Mirrors } from './mirrors.ts';
import { reserveBytes } from './rate-limit.ts';
import { noFields, type Requester } from './requester.ts';
import { contentLength, Progress } from './resume.ts';
import { withoutCredentials } from './url.ts';
import { sleep } from './wait.ts';

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
  /** Never join the body from several responses. */
  readonly whole?: boolean;
  /** Instead of the transport's. */
  readonly retries?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Who gets a file. A CfsError CHECKSUM or FORMAT that it throws says that the mirror has a bad copy: the next one is asked, and if
 * none has a good copy, the error is thrown. Any other error ends the fetch.
 */
export interface Sink {
  write(chunk: Uint8Array): void | Promise<void>;
  /** Everything written so far must be forgotten: the file begins again. */
  restart(): void | Promise<void>;
  /** All of it was written: is it what it should be? */
  verify?(): void;
}

export interface FetchResult {
  /** 304 only if the request had validators. */
  readonly status: 200 | 304;
  /** As sent by the server, for the next request's validators. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** The base among those of the request, with its credentials if it has some. */
  readonly base: string;
  readonly attempts: number;
  /** True if the body was joined from several responses. */
  readonly joined: boolean;
}

/** How a mirror failed. */
interface Bad {
  readonly failure: Failure;
  /** Milliseconds without a byte, since the last byte from it. */
  readonly idle: number;
  /** When it may be asked again, on the clock of `performance`. */
  readonly notBefore: number;
}

/** What all fetches of a transport share. */
export interface FetchServices {
  readonly requester: Requester;
  readonly mirrors: Mirrors;
  /** Of each base its text names, so that it is taken apart once. */
  readonly bases: Map<string, Base>;
  /** Told of the bytes that come. */
  readonly countReceived: ((bytes: number) => void) | undefined;
}

export class Fetch implements Receiver {
  readonly #services: FetchServices;
  readonly #request: FetchRequest;
  readonly #sink: Sink;
  readonly #limit: number;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  /** The mirrors that failed, the latest at the end. */
  readonly #bad = new Map<string, Bad>();
  #attempts = 0;
  /** The most bytes that were ever held. */
  #farthest = 0;
  /** Of the running attempt: its mirror, what it asks it for and whether for a part, and what it was answered. */
  #base = '';
  #target: Target | undefined;
  #askedForPart = false;
  #head: Head | undefined;

  /** @param signal aborts with a CfsError, or the reason that the caller of the request gave. */
  constructor(services: FetchServices, request: FetchRequest, sink: Sink, limit: number, signal: AbortSignal) {
    this.#services = services;
    this.#request = request;
    this.#sink = sink;
    this.#limit = limit;
    this.#signal = signal;
    this.#progress = new Progress(request.immutable === true);
    if (request.whole === true) this.#progress.refuse();
  }

  /** Where it is fetched from, for messages. */
  get #url(): string {
    return this.#target === undefined ? describe(this.#request) : hrefOf(this.#target);
  }

  run(): Promise<FetchResult> {
    return this.#rounds().catch((error: unknown) => {
      if (error instanceof SinkError) throw error.error;
      throw this.#signal.aborted && error === this.#signal.reason ? this.#stopped(error) : error;
    });
  }

  #stopped(reason: unknown): unknown {
    const url = this.#url;
    if (reason !== this.#request.signal?.reason) return reason;
    return new CfsError('CANCELLED', `Cancelled fetching ${url}`, { url }, reason);
  }

  async #rounds(): Promise<FetchResult> {
    this.#signal.throwIfAborted();
    const { mirrors, requester } = this.#services;
    const { backoff: first, backoffMax } = requester.settings;
    const { bases, retries = requester.settings.retries } = this.#request;
    let extra = 0;
    for (let round = 0; ; round++) {
      const successes = mirrors.successes(bases);
      const farthest = this.#farthest;
      for (const base of mirrors.order(bases)) {
        const bad = this.#bad.get(base);
        if (bad !== undefined && (bad.failure.kind !== 'transient' || waitFor(bad) > 0)) continue;
        const result = await this.#attempt(base, bad?.idle ?? 0);
        if (result !== undefined) return result;
      }
      const open = Array.from(this.#bad.values()).filter(({ failure }) => failure.kind === 'transient');
      if (open.length === 0) break;
      if (this.#farthest - farthest >= REAL_PROGRESS) round = 0;
      // A mirror that serves others meanwhile is worth as many tries again.
      const worthwhile = mirrors.successes(bases) > successes && extra < retries;
      if (round >= retries && !worthwhile) break;
      if (round >= retries) extra++;
      const asked = Math.min(...open.map(waitFor));
      await sleep(backoff(round, first, backoffMax, asked), this.#signal);
    }
    throw this.#verdict(Array.from(this.#bad.values(), ({ failure }) => failure));
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

  /** @param idleBefore as in `Bad` of the attempts before. */
  async #attempt(baseUrl: string, idleBefore: number): Promise<FetchResult | undefined> {
    const { requester, mirrors } = this.#services;
    const progress = this.#progress;
    const base = this.#baseOf(baseUrl);
    const target = base.target(this.#request.path);
    this.#target = target;
    this.#attempts++;
    const before = progress.received;
    const fields = before === 0 ? this.#conditions() : progress.headers(baseUrl);
    this.#base = baseUrl;
    this.#askedForPart = 'range' in fields;
    const patience = Math.max(1, requester.settings.watchdog - idleBefore);
    try {
      const get = { base, target, fields, patience, attempt: this.#attempts, signal: this.#signal };
      await requester.get(get, this);
      const result = this.#complete();
      mirrors.succeeded(baseUrl);
      return result;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.facts.status === 416) progress.refuse();
      if (error.facts.final !== undefined) {
        // Nothing of this copy is to be joined with another one.
        progress.discard();
        await this.#sink.restart();
      }
      this.#farthest = Math.max(this.#farthest, progress.received);
      if (error.kind === 'missing') mirrors.succeeded(baseUrl);
      else mirrors.failed(baseUrl);
      const idle = (progress.received > before ? 0 : idleBefore) + error.idle;
      const notBefore = performance.now() + (error.facts.retryAfter ?? 0);
      this.#bad.delete(baseUrl);
      this.#bad.set(baseUrl, { failure: this.#outOfPatience(idle, error), idle, notBefore });
      return undefined;
    }
  }

  #baseOf(text: string): Base {
    const { bases } = this.#services;
    let base = bases.get(text);
    if (base === undefined) bases.set(text, (base = new Base(text)));
    return base;
  }

  /** A mirror that stayed silent for the watchdog's time, or asks for too long a wait, is not asked again for this file. */
  #outOfPatience(idle: number, failure: Failure): Failure {
    const { watchdog, retryAfterMax } = this.#services.requester.settings;
    const { kind, message, facts } = failure;
    if (kind !== 'transient') return failure;
    if (idle >= watchdog) {
      return new Failure('permanent', `No progress for ${watchdog / 1000} s: ${message}`, facts);
    }
    const { retryAfter = 0 } = facts;
    if (retryAfter <= retryAfterMax) return failure;
    return new Failure('permanent', `${message}, and asks to wait ${Math.round(retryAfter / 1000)} s`, facts);
  }

  #conditions(): Record<string, string> {
    const { etag, lastModified } = this.#request;
    if (etag === undefined && lastModified === undefined) return noFields;
    return {
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
      ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
    };
  }

  begin(head: Head): void | Promise<void> {
    const { status, headers } = head;
    const { etag, lastModified } = this.#request;
    const progress = this.#progress;
    const held = progress.received;
    this.#head = head;
    if (status === 304) {
      if (held === 0 && (etag !== undefined || lastModified !== undefined)) return;
      throw new Failure('transient', 'Server returned HTTP 304 (Not Modified) unasked', { status });
    }
    const goesOn = progress.accept(this.#base, this.#askedForPart, head);
    this.#checkSize((goesOn ? held : 0) + (contentLength(headers) ?? 0));
    if (!goesOn && held > 0) return this.#give(() => this.#sink.restart());
  }

  write(chunk: Uint8Array): void | Promise<void> {
    const { requester, countReceived } = this.#services;
    const { rateLimit } = requester.settings;
    countReceived?.(chunk.length);
    this.#checkSize(this.#progress.received + chunk.length);
    const wait = rateLimit === undefined ? 0 : reserveBytes(rateLimit, chunk.length);
    const take = (): void | Promise<void> => this.#give(() => this.#sink.write(chunk), chunk.length);
    return wait > 0 ? sleep(wait, this.#signal).then(take) : take();
  }

  /** @param bytes are held when the call has ended. */
  #give(call: () => void | Promise<void>, bytes = 0): void | Promise<void> {
    try {
      const busy = call();
      if (busy !== undefined) return this.#taken(busy, bytes);
    } catch (error) {
      throw sinkFailure(error, this.#progress.joined);
    }
    this.#progress.received += bytes;
  }

  async #taken(busy: Promise<void>, bytes: number): Promise<void> {
    try {
      await busy;
    } catch (error) {
      throw sinkFailure(error, this.#progress.joined);
    }
    this.#progress.received += bytes;
  }

  #complete(): FetchResult {
    const { status, headers } = this.#head!;
    const { received, total, joined } = this.#progress;
    if (status !== 304) {
      if (total !== undefined && received !== total) {
        throw new Failure('transient', `The transfer ended at byte ${received} of ${total}`, { connection: true });
      }
      void this.#give(() => this.#sink.verify?.());
    }
    return {
      status: status === 304 ? 304 : 200,
      etag: headers.etag,
      lastModified: headers['last-modified'],
      base: this.#base,
      attempts: this.#attempts,
      joined,
    };
  }

  #checkSize(size: number): void {
    if (size <= this.#limit) return;
    const [url, limit] = [this.#url, this.#limit];
    const problem = `URI ${url} exceeded maximum size of ${limit} bytes`;
    throw new Failure('permanent', problem, { final: new CfsError('LIMIT', problem, { url, limit }) });
  }
}

/** A bad copy is this mirror's failure, unless it was `joined`; anything else is no matter of mirrors. */
function sinkFailure(error: unknown, joined: boolean): Failure | SinkError {
  const isBadCopy = error instanceof CfsError && (error.code === 'CHECKSUM' || error.code === 'FORMAT');
  if (!isBadCopy) return new SinkError(error);
  return new Failure(joined ? 'transient' : 'permanent', error.message, { final: error });
}

/** Milliseconds until a mirror wants to be asked again. */
function waitFor({ notBefore }: Bad): number {
  return Math.max(0, notBefore - performance.now());
}

function describe({ bases: [base = ''], path }: FetchRequest): string {
  return withoutCredentials(path === '' ? base : `${base}/${path}`);
}
