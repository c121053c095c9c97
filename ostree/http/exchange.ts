/**
 * One request and its response, as undici dispatches it. What comes is given to the receiver at once; while that is busy, the
 * connection is not read. Ends by itself when it stalls, and `fail` ends it at once whatever undici is waiting for.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { Failure } from './failure.ts';
import { type SpeedWatch, type Stall, Watch, type Watched } from './speed-watch.ts';

export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** A promise says when the receiver wants more. What it throws ends the exchange. */
export interface Receiver {
  begin(head: Head): void | Promise<void>;
  write(chunk: Uint8Array): void | Promise<void>;
}

type Held = (Uint8Array | (() => void))[];

export class Exchange implements Dispatcher.DispatchHandler, Watched {
  /** Settles when it is over; rejects with what ended it early. */
  readonly over: Promise<void>;
  readonly signal: AbortSignal;
  /** True if its connection had given other responses before: its server may have closed that when the request was on its way. */
  onUsedConnection = false;
  /** Called once, before `over` settles. */
  onOver: ((complete: boolean) => void) | undefined;
  readonly #receiver: Receiver;
  readonly #speed: SpeedWatch;
  readonly #watch: Watch;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  /** What came while the receiver was busy, the end of the response as a function. Undefined if it is not busy. */
  #held: Held | undefined;
  #isOver = false;
  #hasBegun = false;
  #error: Error | undefined;

  /** @param patience is how many milliseconds it may be silent. */
  constructor(receiver: Receiver, speed: SpeedWatch, patience: number, signal: AbortSignal) {
    this.signal = signal;
    this.#receiver = receiver;
    this.#speed = speed;
    this.#watch = new Watch(patience, this);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.over = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    speed.add(this.#watch);
  }

  /** Milliseconds since the last byte of the body, or since the start. */
  get idle(): number {
    return this.#watch.idle;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** True once something of the response has come. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** True as long as other responses have to come first on its connection: its own silence means nothing then. */
  set inLine(inLine: boolean) {
    this.#watch.paused = inLine;
  }

  /** Ends it with `error`, unless it is already over. The connection of an unfinished response is closed. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#error = error instanceof Error ? error : new Error('Aborted');
    this.#end(false);
    this.#reject(error);
    this.#controller?.abort(this.#error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#error !== undefined) controller.abort(this.#error);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#hasBegun = true;
    if (status >= 200 && !this.#isOver) this.#give(() => this.#receiver.begin({ status, headers }));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    // A parser that goes on after a pause gives an empty chunk: pausing for that one too would never end.
    if (this.#isOver || chunk.length === 0) return;
    this.#watch.received(chunk.length);
    if (this.#held === undefined) this.#give(() => this.#receiver.write(chunk));
    else this.#held.push(chunk);
  }

  onResponseEnd(): void {
    this.#last(() => {
      this.#end(true);
      this.#resolve();
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#last(() => this.fail(error));
  }

  #last(end: () => void): void {
    if (this.#isOver) return;
    if (this.#held === undefined) end();
    else this.#held.push(end);
  }

  #give(call: () => void | Promise<void>): void {
    try {
      const busy = call();
      if (busy !== undefined) void this.#hold(busy);
    } catch (error) {
      this.fail(error);
    }
  }

  async #hold(busy: Promise<void>): Promise<void> {
    const held = (this.#held = [] as Held);
    this.#watch.paused = true;
    this.#controller?.pause();
    try {
      await busy;
      for (let next = held.shift(); next !== undefined && !this.#isOver; next = held.shift()) {
        if (typeof next === 'function') next();
        else await this.#receiver.write(next);
      }
    } catch (error) {
      this.fail(error);
    }
    if (this.#isOver) return;
    this.#held = undefined;
    this.#watch.paused = false;
    this.#controller?.resume();
  }

  onStall(stall: Stall): void {
    const { lowSpeedLimit, lowSpeedTime } = this.#speed.limits;
    const slow = `less than ${lowSpeedLimit} bytes per second for ${lowSpeedTime / 1000} s`;
    const problem = stall === 'slow' ? `Too slow: ${slow}` : 'No progress: the server sends nothing';
    this.fail(new Failure('transient', problem, { connection: true }));
  }

  onAbort(): void {
    this.fail(this.signal.reason);
  }

  #end(complete: boolean): void {
    this.#isOver = true;
    this.#speed.delete(this.#watch);
    this.onOver?.(complete);
  }
}
