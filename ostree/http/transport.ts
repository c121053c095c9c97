/**
 * Fetching files below base URLs over HTTP, for one thread: connections, credentials, mirrors, retries, resuming, limits.
 *
 * A request is tried in rounds. A round asks each mirror once, those in good health first, until one answers; between rounds there is
 * a growing random wait. Nothing waits without a bound: connecting has a timeout, a transfer a lowest speed and a watchdog, waits
 * between rounds a maximum, rounds a number.
 */
import { CfsError } from '../../bytes/errors.ts';
import { Fetch, type FetchRequest, type FetchResult, type FetchServices, type Sink } from './fetch.ts';
import { Mirrors } from './mirrors.ts';
import { settle, type TransportOptions } from './options.ts';
import { Origins } from './origins.ts';
import { Requester } from './requester.ts';
import { RequestHeaders } from './request-headers.ts';
import { trafficCounter } from './traffic.ts';

export const MAX_METADATA_SIZE = 128 * 1024 * 1024;

export interface FetchedBytes extends FetchResult {
  /** The body; empty with status 304. */
  readonly bytes: Uint8Array;
}

export interface FetchBytesOptions {
  readonly limit?: number | undefined;
  /** Throws a CfsError CHECKSUM or FORMAT for a bad copy: then the next mirror is asked. */
  readonly verify?: ((bytes: Uint8Array) => void) | undefined;
}

export class Transport implements AsyncDisposable {
  readonly options: TransportOptions;
  readonly #origins: Origins;
  readonly #services: FetchServices;
  readonly #closing = new AbortController();
  readonly #signals = new WeakMap<AbortSignal, AbortSignal>();

  /** @throws RangeError for numbers that make no sense, CfsError USAGE for unusable header fields, I/O errors of the named files. */
  constructor(options: TransportOptions = {}) {
    const settings = settle(options);
    this.options = options;
    this.#origins = new Origins(settings);
    const requester = new Requester(settings, this.#origins, new RequestHeaders(settings));
    const countReceived = settings.traffic && trafficCounter(settings.traffic);
    this.#services = { requester, mirrors: new Mirrors(), bases: new Map(), countReceived };
  }

  /** From now on only the given part of the connections: other transports use the rest. */
  divide(parts: number): void {
    this.#origins.divide(parts);
  }

  /** What came from there was bad: other mirrors are asked first for a while. */
  distrust(base: string): void {
    this.#services.mirrors.failed(base);
  }

  /**
   * A whole file in memory, of at most `limit` bytes.
   * @throws NotFoundError if all mirrors answer 403, 404 or 410; FetchError; CfsError LIMIT, CANCELLED, or USAGE for a bad URL.
   */
  async fetchBytes(
    request: FetchRequest,
    { limit = MAX_METADATA_SIZE, verify }: FetchBytesOptions = {},
  ): Promise<FetchedBytes> {
    let chunks: Uint8Array[] = [];
    let bytes: Uint8Array = new Uint8Array();
    const sink: Sink = {
      write: (chunk) => void chunks.push(chunk),
      restart: () => {
        chunks = [];
      },
      verify: () => {
        bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        verify?.(bytes);
      },
    };
    const result = await this.fetchStream(request, sink, { limit });
    return { ...result, bytes };
  }

  /**
   * Gives a file to `sink` chunk by chunk, the next one when `write` has ended; the connection is not read meanwhile. What the sink
   * throws is thrown here, at once unless it says that the mirror has a bad copy.
   * @throws as `fetchBytes`
   */
  fetchStream(request: FetchRequest, sink: Sink, { limit = Infinity }: { limit?: number } = {}): Promise<FetchResult> {
    return new Fetch(this.#services, request, sink, limit, this.#signalFor(request.signal)).run();
  }

  /** Cancels what runs and closes all connections. */
  async close(): Promise<void> {
    this.#closing.abort(new CfsError('CANCELLED', 'The transport was closed'));
    await this.#origins.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Aborts as the given one does, and when the transport is closed; made once for all requests that share a signal. */
  #signalFor(signal: AbortSignal | undefined): AbortSignal {
    if (signal === undefined) return this.#closing.signal;
    let joined = this.#signals.get(signal);
    if (joined === undefined) {
      joined = AbortSignal.any([signal, this.#closing.signal]);
      this.#signals.set(signal, joined);
    }
    return joined;
  }
}
