/** How many requests may run to one origin: fewer after failing connections, more again once they work. */

const FAILURES_TO_SHRINK = 3;
const SUCCESSES_TO_GROW = 16;

interface Waiter {
  readonly attempt: number;
  readonly enter: () => void;
}

export class Lane {
  #most: number;
  #limit: number;
  #active = 0;
  #failures = 0;
  #successes = 0;
  readonly #waiting = new Set<Waiter>();
  /** Those that failed before, the most often at the end. */
  readonly #again: Waiter[] = [];

  constructor(most: number) {
    this.#most = most;
    this.#limit = most;
  }

  get limit(): number {
    return this.#limit;
  }

  /**
   * Waits for a place, which `release` gives back. Rejects with the signal's reason when it aborts.
   * @param attempt is 1 for what was not tried before. The highest goes first: where all requests fail, one of them uses up its
   * attempts soon, and not each of them all but one.
   */
  enter(signal: AbortSignal, attempt = 1): Promise<void> | undefined {
    signal.throwIfAborted();
    if (this.#active < this.#limit) {
      this.#active++;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#forget(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        attempt,
        enter: () => {
          signal.removeEventListener('abort', stop);
          this.#active++;
          resolve();
        },
      };
      if (attempt === 1) this.#waiting.add(waiter);
      else this.#again.splice(this.#again.findLastIndex((other) => other.attempt < attempt) + 1, 0, waiter);
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

  #forget(waiter: Waiter): void {
    if (this.#waiting.delete(waiter)) return;
    this.#again.splice(this.#again.indexOf(waiter), 1);
  }

  #admit(): void {
    while (this.#active < this.#limit) {
      const next = this.#again.pop();
      if (next === undefined) break;
      next.enter();
    }
    for (const waiter of this.#waiting) {
      if (this.#active >= this.#limit) return;
      this.#waiting.delete(waiter);
      waiter.enter();
    }
  }
}
