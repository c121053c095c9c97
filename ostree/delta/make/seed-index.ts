/** Where short strings of a file occur: a hash table of windows, one at every second byte, or eighth of large files. */

/** Bytes of a window. A string of `SEED` bytes and a step less one that both files share is always found. */
export const SEED = 12;
/** Larger files have fewer windows for their size, which bounds the memory. */
const LARGE = 16 * 1024 * 1024;
const STEP = { small: 2, large: 8 };
/** Windows of one hash that are looked at: more are those of repetitive files, where any of them does. */
const MAX_CANDIDATES = 32;

const MULTIPLIER = 0x2f0b4a27;
const GOLDEN = 0x9e3779b1;

/** `MULTIPLIER ** (SEED - 1)`: what the oldest byte of a window counts. */
const OLDEST = power(SEED - 1);

function power(exponent: number): number {
  let value = 1;
  for (let i = 0; i < exponent; i++) value = Math.imul(value, MULTIPLIER);
  return value;
}

/** The hash of the window at `at`, which must be whole. */
export function windowHash(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = at; i < at + SEED; i++) hash = (Math.imul(hash, MULTIPLIER) + bytes[i]!) | 0;
  return hash;
}

/** The hash of the window at `at + 1`, from that of the window at `at`. */
export function rollHash(hash: number, bytes: Uint8Array, at: number): number {
  return (Math.imul(hash - Math.imul(bytes[at]!, OLDEST), MULTIPLIER) + bytes[at + SEED]!) | 0;
}

export class SeedIndex {
  readonly #step: number;
  readonly #shift: number;
  /** By hash: one more than the number of the first window in its chain, 0 for none. */
  readonly #heads: Int32Array;
  /** By number of a window: the same for the next one in its chain. */
  readonly #next: Int32Array;
  /** What `find` found last: positions that may have the window. */
  readonly found = new Int32Array(MAX_CANDIDATES);

  /** Takes four to six bytes of memory for each of `source`, a quarter of that for a large one. */
  constructor(source: Uint8Array) {
    const step = source.length > LARGE ? STEP.large : STEP.small;
    const windows = Math.max(0, Math.floor((source.length - SEED) / step) + 1);
    this.#step = step;
    const bits = Math.max(4, 32 - Math.clz32(windows));
    this.#shift = 32 - bits;
    this.#heads = new Int32Array(2 ** bits);
    this.#next = new Int32Array(windows);
    let previous = 0;
    // From the end, so that chains begin with the first occurrence.
    for (let window = windows - 1; window >= 0; window--) {
      const hash = windowHash(source, window * step);
      // Of a run of one byte, the windows would all be in one chain.
      if (window < windows - 1 && window > 0 && hash === previous) continue;
      previous = hash;
      const slot = Math.imul(hash, GOLDEN) >>> this.#shift;
      this.#next[window] = this.#heads[slot]!;
      this.#heads[slot] = window + 1;
    }
  }

  /** Looks for windows of this hash; the answer is how many of `found` are candidates. */
  find(hash: number): number {
    let count = 0;
    let window = this.#heads[Math.imul(hash, GOLDEN) >>> this.#shift]!;
    for (; window !== 0 && count < MAX_CANDIDATES; window = this.#next[window - 1]!) {
      this.found[count++] = (window - 1) * this.#step;
    }
    return count;
  }
}
