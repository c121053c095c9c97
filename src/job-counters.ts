/** How far a job is that several threads share: each takes the next piece of work from a counter. */

/** Slots, 64-bit numbers: pieces taken, pieces done, bytes done, and 1 once the job was stopped. */
const TAKEN = 0;
const DONE = 1;
const BYTES = 2;
const STOPPED = 3;
const SLOTS = 4;

/** Shared memory for the counters of a job. */
export function counterMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * SLOTS);
}

/** One thread's view of a job. */
export class JobCounters {
  readonly #slots: BigInt64Array;
  /** Pieces of work that there are. */
  readonly total: number;

  constructor(memory: SharedArrayBuffer, total: number) {
    this.#slots = new BigInt64Array(memory);
    this.total = total;
  }

  /** Takes the next piece, and gives its number; undefined when there is none or the job was stopped. */
  take(): number | undefined {
    if (this.stopped) return undefined;
    const index = Number(Atomics.add(this.#slots, TAKEN, 1n));
    return index < this.total ? index : undefined;
  }

  /** Counts one piece as done. */
  addDone(): void {
    Atomics.add(this.#slots, DONE, 1n);
  }

  addBytes(bytes: number): void {
    Atomics.add(this.#slots, BYTES, BigInt(bytes));
  }

  get done(): number {
    return Number(Atomics.load(this.#slots, DONE));
  }

  get bytes(): number {
    return Number(Atomics.load(this.#slots, BYTES));
  }

  /** Makes every thread end before its next piece of work. */
  stop(): void {
    Atomics.store(this.#slots, STOPPED, 1n);
  }

  get stopped(): boolean {
    return Atomics.load(this.#slots, STOPPED) !== 0n;
  }
}
