/**
 * Fetching files below base URLs over HTTP, for one thread: connections, credentials, mirrors, retries, resuming, limits.
 *
 * A request is tried in rounds. A round asks each mirror once, those in good health first, until one answers; between rounds there is
 * a growing random wait. Nothing waits without a bound: connecting has a timeout, a transfer a lowest speed and a watchdog, waits
 * between rounds a maximum, rounds a number.
 */
import { CfsError } from '../../bytes/errors.ts';
import { Fetch, type FetchRequest, type FetchResult, type Sink } from './fetch.ts';
import { Mirrors } from './mirrors.ts';
import { settle, type TransportOptions } from './options.ts';
import { Origins } from './origins.ts';
import { Requester } from './requester.ts';
import { RequestHeaders } from './request-headers.ts';

export const MAX_METADATA_SIZE = 128 * 1024 * 1024;

export interface FetchedBytes extends FetchResult {
  /** The body; empty with status 304. */
  readonly bytes: Uint8Array;
}

export class Transport implements AsyncDisposable {
  readonly options: TransportOptions;
  readonly #origins: Origins;
  readonly #mirrors = new Mirrors();
  readonly #requester: Requester;
  readonly #closing = new AbortController();

  /** @throws RangeError for numbers that make no sense, CfsError USAGE for unusable header fields, I/O errors of the named files. */
  constructor(options: TransportOptions = {}) {
    const settings = settle(options);
    this.options = options;
    this.#origins = new Origins(settings);
    this.#requester = new Requester(settings, this.#origins, new RequestHeaders(settings));
  }

  /**
   * A whole file in memory, of at most `limit` bytes.
   * @throws NotFoundError if all mirrors answer 403, 404 or 410; FetchError; CfsError LIMIT, CANCELLED, or USAGE for a bad URL.
   */
  async fetchBytes(
    request: FetchRequest,
    { limit = MAX_METADATA_SIZE }: { limit?: number } = {},
  ): Promise<FetchedBytes> {
    let chunks: Uint8Array[] = [];
    const sink: Sink = {
      write: (chunk) => void chunks.push(chunk),
      restart: () => {
        chunks = [];
      },
    };
    const result = await this.fetchStream(request, sink, { limit });
    const [first] = chunks;
    return { ...result, bytes: chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks) };
  }

  /**
   * Gives a file to `sink` chunk by chunk, the next one when `write` has ended. The connection is not read meanwhile, beyond a buffer
   * of 256 KiB. What the sink throws ends the fetch and is thrown here.
   * @throws as `fetchBytes`
   */
  async fetchStream(
    request: FetchRequest,
    sink: Sink,
    { limit = Infinity }: { limit?: number } = {},
  ): Promise<FetchResult> {
    this.#throwIfClosed();
    const fetch = new Fetch(this.#requester, this.#mirrors, request, sink, limit, this.#closing.signal);
    return await fetch.run();
  }

  /** Cancels what runs and closes all connections. */
  async close(): Promise<void> {
    this.#closing.abort(new CfsError('CANCELLED', 'The transport was closed'));
    await this.#origins.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw new CfsError('CANCELLED', 'The transport is closed');
  }
}
