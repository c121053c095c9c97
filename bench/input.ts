/** Where the input of the benchmarks lies; `make-input.ts` makes it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Absolute; outside the clone, so that it outlives it. */
export const benchDir = process.env['CFS_BENCH_DIR'] ?? '/var/tmp/cfs-bench';

export interface BenchInput {
  /** An OSTree repository in `archive` mode. */
  readonly repo: string;
  /** Each ref with the checksum of its commit; `debian/2` is the child of `debian/1`. */
  readonly refs: { readonly 'debian/1': string; readonly 'debian/2': string };
}

/** The finished input, or undefined if none was made. */
export function readInput(): BenchInput | undefined {
  const path = join(benchDir, 'input.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as BenchInput) : undefined;
}
