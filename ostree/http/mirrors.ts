/** Which mirrors have been failing: these are asked last for a while. */

interface Health {
  failures: number;
  /** Answers got, to tell whether a mirror works otherwise. */
  successes: number;
  penalisedUntil: number;
}

const PENALTY = 30_000;
const MAX_PENALTY = 10 * 60_000;

export class Mirrors {
  readonly #health = new Map<string, Health>();

  /** The same bases: those without penalty in their order, then the others, those with the fewest failures first. */
  order(bases: readonly string[]): readonly string[] {
    const now = Date.now();
    const weight = (base: string): number => {
      const health = this.#health.get(base);
      return health === undefined || health.penalisedUntil <= now ? 0 : health.failures;
    };
    return bases.some((base) => weight(base) > 0) ? bases.toSorted((a, b) => weight(a) - weight(b)) : bases;
  }

  failed(base: string): void {
    const health = this.#of(base);
    health.failures++;
    health.penalisedUntil = Date.now() + Math.min(PENALTY * health.failures, MAX_PENALTY);
  }

  succeeded(base: string): void {
    const health = this.#of(base);
    health.successes++;
    health.failures = Math.floor(health.failures / 2);
    if (health.failures === 0) health.penalisedUntil = 0;
  }

  /** Grows with each success of any of these bases. */
  successes(bases: readonly string[]): number {
    return bases.reduce((sum, base) => sum + (this.#health.get(base)?.successes ?? 0), 0);
  }

  #of(base: string): Health {
    let health = this.#health.get(base);
    if (health === undefined) {
      health = { failures: 0, successes: 0, penalisedUntil: 0 };
      this.#health.set(base, health);
    }
    return health;
  }
}
