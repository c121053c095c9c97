/**
 * Notices that a transfer is too slow or has stopped. Time in which the receiver itself does not want bytes does not count, and time
 * is counted in ticks of a timer, so that a thread that is busy with other work does not take its own pause for the server's.
 */

export interface SpeedLimits {
  /** Bytes per second; 0 for no limit. */
  readonly lowSpeedLimit: number;
  readonly lowSpeedTime: number;
  /** Milliseconds without a byte that are left until the watchdog bites. */
  readonly patience: number;
}

export type Stall = 'slow' | 'silent';

export class SpeedWatch {
  readonly #limits: SpeedLimits;
  readonly #onStall: (stall: Stall) => void;
  readonly #tick: number;
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #paused = false;
  #slow = 0;
  #idle = 0;

  constructor(limits: SpeedLimits, onStall: (stall: Stall) => void) {
    this.#limits = limits;
    this.#onStall = onStall;
    const slowest = limits.lowSpeedLimit > 0 && limits.lowSpeedTime > 0 ? limits.lowSpeedTime : Infinity;
    this.#tick = Math.max(5, Math.min(slowest, limits.patience, 20_000) / 4);
    this.#timer = setTimeout(() => this.#check(), this.#tick);
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
    // A tick in which there was any pause does not count.
    if (paused) this.#slow = -this.#tick;
    this.#paused = paused;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #check(): void {
    const { lowSpeedLimit, lowSpeedTime, patience } = this.#limits;
    if (!this.#paused) {
      const isSlow = this.#bytes * 1000 < lowSpeedLimit * this.#tick;
      this.#slow = isSlow ? this.#slow + this.#tick : 0;
      if (this.#bytes === 0) this.#idle += this.#tick;
    }
    this.#bytes = 0;
    if (this.#idle >= patience) this.#onStall('silent');
    else if (lowSpeedTime > 0 && this.#slow >= lowSpeedTime) this.#onStall('slow');
    else this.#timer.refresh();
  }
}
