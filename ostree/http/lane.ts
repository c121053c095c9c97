/** How many requests may run to one origin: fewer after failing connections, more again once they work. */

const FAILURES_TO_SHRINK = 3;
const SUCCESSES_TO_GROW = 16;

interface Waiter {
  readonly enter: () => void;
}

export class Lane {
  #most: number;
  #limit: number;
  #active = 0;
  #failures = 0;
  #successes = 0;
  readonly #waiting = new Set<Waiter>();

  constructor(most: number) {
    this.#most = most;
    this.#limit = most;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Waits for a place, which `release` gives back. Rejects with the signal's reason when it aborts. */
  enter(signal: AbortSignal): Promise<void> | undefined {
    signal.throwIfAborted();
    if (this.#active < this.#limit) {
      this.#active++;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.delete(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        enter: () => {
          signal.removeEventListener('abort', stop);
          this.#active++;
          resolve();
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  release(): void {
    this.#active--;
    this.#admit();
  }

  /** A connection could not be made, or broke. */
  connectionFailed(): void {
    this.#successes = 0;
    if (++this.#failures < FAILURES_TO_SHRINK) return;
    this.#failures = 0;
    this.#limit = Math.max(1, this.#limit >> 1);
  }

  connectionWorked(): void {
    this.#failures = 0;
    if (this.#limit === this.#most || ++this.#successes < SUCCESSES_TO_GROW) return;
    this.#successes = 0;
    this.#limit++;
    this.#admit();
  }

  /** The server takes more at a time than was known. */
  widen(most: number): void {
    if (most <= this.#most) return;
    if (this.#limit === this.#most) this.#limit = most;
    this.#most = most;
    this.#admit();
  }

  /** From now on only the given part. */
  divide(parts: number): void {
    this.narrow(Math.ceil(this.#most / parts));
  }

  /** The server takes less at a time than it seemed. */
  narrow(most: number): void {
    this.#most = Math.min(this.#most, most);
    this.#limit = Math.min(this.#limit, most);
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (this.#active >= this.#limit) return;
      this.#waiting.delete(waiter);
      waiter.enter();
    }
  }
}
