/**
 * One request and its response, as undici dispatches it. The body is a queue of bounded length: while it is full, the connection is
 * not read. Ends by itself when it stalls, and `fail` ends it at once whatever undici is waiting for.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { Failure } from './failure.ts';
import { type SpeedLimits, SpeedWatch } from './speed-watch.ts';

/** Bytes of the body that may lie in memory unread before the connection is paused. */
const HIGH_WATER = 256 * 1024;

export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #watch: SpeedWatch;
  readonly #signal: AbortSignal;
  readonly #chunks: Uint8Array[] = [];
  #queued = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #head: Head | undefined;
  #state: 'open' | 'complete' | 'failed' = 'open';
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(limits: SpeedLimits, signal: AbortSignal) {
    this.#watch = new SpeedWatch(limits, (stall) => {
      const { lowSpeedLimit, lowSpeedTime } = limits;
      const slow = `less than ${lowSpeedLimit} bytes per second for ${lowSpeedTime / 1000} s`;
      const problem = stall === 'slow' ? `Too slow: ${slow}` : 'No progress: the server sends nothing';
      this.fail(new Failure('transient', problem, { connection: true }));
    });
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** Milliseconds since the last byte of the body, or since the start. */
  get idle(): number {
    return this.#watch.idle;
  }

  get isComplete(): boolean {
    return this.#state === 'complete';
  }

  /** Status and header fields. */
  async head(): Promise<Head> {
    while (this.#head === undefined) {
      if (this.#state !== 'open') throw this.#error;
      await this.#change();
    }
    return this.#head;
  }

  /** The next bytes of the body, undefined at its end. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#state === 'failed') throw this.#error;
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#queued -= chunk.length;
        if (this.#controller?.paused === true && this.#queued < HIGH_WATER / 2) {
          this.#watch.paused = false;
          this.#controller.resume();
        }
        return chunk;
      }
      if (this.#state === 'complete') return undefined;
      await this.#change();
    }
  }

  /** Ends it with `error`, unless it is already over. The connection of an unfinished response is closed. */
  fail(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#end('failed', error);
    this.#chunks.length = 0;
    this.#controller?.abort(error instanceof Error ? error : new Error('Aborted'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state !== 'open') controller.abort(this.#error instanceof Error ? this.#error : new Error('Aborted'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#head = { status, headers };
    this.#notify();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#watch.received(chunk.length);
    this.#chunks.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued >= HIGH_WATER) {
      this.#watch.paused = true;
      controller.pause();
    }
    this.#notify();
  }

  onResponseEnd(): void {
    if (this.#state === 'open') this.#end('complete', undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === 'open') this.#end('failed', error);
  }

  readonly #onAbort = (): void => this.fail(this.#signal.reason);

  #end(state: 'complete' | 'failed', error: unknown): void {
    this.#state = state;
    this.#error = error;
    this.#watch.stop();
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#notify();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
