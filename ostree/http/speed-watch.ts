/**
 * Notices that a transfer is too slow or has stopped, or is no longer wanted. Time in which the receiver itself does not want bytes
 * does not count, and time is counted in ticks of a timer, so that a thread that is busy with other work does not take its own pause
 * for the server's. One timer serves all transfers, and one listener all that share a signal: thousands of short ones need none of
 * their own.
 */

export interface SpeedLimits {
  /** Bytes per second; 0 for no limit. */
  readonly lowSpeedLimit: number;
  readonly lowSpeedTime: number;
  /** Milliseconds without a byte that are the most any transfer may have. */
  readonly watchdog: number;
}

export type Stall = 'slow' | 'silent';

/** Who is told. */
export interface Watched {
  readonly signal: AbortSignal;
  onStall(stall: Stall): void;
  /** The signal has aborted. */
  onAbort(): void;
}

/** One transfer. */
export class Watch {
  readonly watched: Watched;
  readonly #patience: number;
  #bytes = 0;
  /** A tick in which it began, or in which it was paused, does not count. */
  #whole = false;
  #paused = false;
  #slow = 0;
  #idle = 0;

  /** @param patience Milliseconds without a byte until it counts as silent. */
  constructor(patience: number, watched: Watched) {
    this.#patience = patience;
    this.watched = watched;
  }

  /** Milliseconds since the last byte. */
  get idle(): number {
    return this.#idle;
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    this.#idle = 0;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.#whole = false;
  }

  /** `ms` have passed since the last call. */
  tick(ms: number, { lowSpeedLimit, lowSpeedTime }: SpeedLimits): void {
    const bytes = this.#bytes;
    this.#bytes = 0;
    if (this.#paused) return;
    if (!this.#whole) {
      this.#whole = true;
      return;
    }
    this.#slow = bytes * 1000 < lowSpeedLimit * ms ? this.#slow + ms : 0;
    if (bytes === 0) this.#idle += ms;
    if (this.#idle >= this.#patience) this.watched.onStall('silent');
    else if (lowSpeedTime > 0 && this.#slow >= lowSpeedTime) this.watched.onStall('slow');
  }
}

/** The timer. It stops by itself when there is nothing to watch. */
export class SpeedWatch {
  readonly limits: SpeedLimits;
  readonly #tick: number;
  readonly #watches = new Set<Watch>();
  readonly #signals = new WeakSet<AbortSignal>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: SpeedLimits) {
    this.limits = limits;
    const { lowSpeedLimit, lowSpeedTime, watchdog } = limits;
    const slowest = lowSpeedLimit > 0 && lowSpeedTime > 0 ? lowSpeedTime : Infinity;
    this.#tick = Math.max(5, Math.min(slowest, watchdog, 20_000) / 4);
  }

  add(watch: Watch): void {
    const { signal } = watch.watched;
    this.#watches.add(watch);
    this.#timer ??= setInterval(() => this.#check(), this.#tick).unref();
    if (signal.aborted) watch.watched.onAbort();
    else if (!this.#signals.has(signal)) this.#listenTo(signal);
  }

  #listenTo(signal: AbortSignal): void {
    this.#signals.add(signal);
    signal.addEventListener('abort', () => {
      for (const { watched } of this.#watches) if (watched.signal === signal) watched.onAbort();
    });
  }

  delete(watch: Watch): void {
    this.#watches.delete(watch);
  }

  #check(): void {
    if (this.#watches.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const watch of this.#watches) watch.tick(this.#tick, this.limits);
  }
}
