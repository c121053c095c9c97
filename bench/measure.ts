/** Runs a program and says what it cost, by GNU time (wait4's resource usage of the program and all it waited for). */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Cost {
  /** Seconds from start to exit. */
  readonly wall: number;
  /** Seconds of user and system time, in hundredths. */
  readonly cpu: number;
  /** MiB: the largest resident set of one process. */
  readonly memory: number;
}

const time = '/usr/bin/time';

/** The cost of one run of `argv`; its output is shown only if it fails, and then this throws. */
export function measure(argv: readonly string[]): Cost {
  if (!existsSync(time)) throw new Error(`Cannot measure without ${time}: install the package time`);
  const scratch = mkdtempSync(join(tmpdir(), 'measure-'));
  const report = join(scratch, 'cost');
  try {
    const start = process.hrtime.bigint();
    const result = spawnSync(time, ['-f', '%U %S %M', '-o', report, ...argv], { encoding: 'utf8', maxBuffer: 1 << 26 });
    const wall = Number(process.hrtime.bigint() - start) / 1e9;
    if (result.error !== undefined) throw result.error;
    if (result.status !== 0) {
      throw new Error(
        `${argv.join(' ')} ended with ${result.status ?? result.signal}:\n${result.stdout}${result.stderr}`,
      );
    }
    const [user = NaN, system = NaN, kib = NaN] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
    return { wall, cpu: user + system, memory: kib / 1024 };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The middle one of some costs, each figure by itself. */
export function medianCost(costs: readonly Cost[]): Cost {
  const middle = (figure: keyof Cost): number => {
    const sorted = costs.map((cost) => cost[figure]).sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 === 1 ? (sorted[half] ?? NaN) : ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2;
  };
  return { wall: middle('wall'), cpu: middle('cpu'), memory: middle('memory') };
}
