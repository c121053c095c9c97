/** Workers that make the parts of a delta, each one group after the other. */
import { availableParallelism } from 'node:os';
import type { OnProgress } from '../progress.ts';
import { runTasks } from '../threads.ts';
import type { MadeParts, PartJob, PartMessage, PartTask } from './part-job.ts';
import type { DeltaPlan } from './plan.ts';

const MAX_THREADS = 8;
/** What a worker needs to compress a part of the usual size, and to compare two files. */
const THREAD_MEMORY = 512 * 1024 * 1024;

/** The worker's own file, as it lies beside this one: a source or compiled. */
const workerFile = new URL(`./part-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

export interface MakeOptions {
  /** Workers at most; by default as many as processors, up to eight, while half of the memory that is free suffices for them. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

function usualThreads(): number {
  const fitting = Math.floor(process.availableMemory() / 2 / THREAD_MEMORY);
  return Math.max(1, Math.min(availableParallelism(), MAX_THREADS, fitting));
}

/**
 * Makes all parts; the results are in the order of the groups.
 * @throws the first error that a worker met, or the reason of the signal. No worker runs any more then.
 */
export async function makeAllParts(
  job: PartJob,
  { groups, objectCount: total, size: bytesTotal }: DeltaPlan,
  { threads = usualThreads(), signal, onProgress }: MakeOptions,
): Promise<MadeParts[]> {
  const results: MadeParts[] = Array.from({ length: groups.length });
  let done = 0;
  let bytes = 0;
  const report = (): void => onProgress?.({ phase: 'delta', done, total, bytes, bytesTotal });
  const collect = (message: PartMessage): void => {
    if (message.kind === 'made') {
      results[message.group] = message.made;
    } else {
      done += message.objects;
      bytes += message.bytes;
      report();
    }
  };
  // The longest first, so that all workers end at about the same time.
  const longest = Array.from(groups.entries()).sort(([, a], [, b]) => b.work - a.work);
  const tasks = longest.map(([group, { objects }]): PartTask => ({ group, objects }));
  report();
  await runTasks({ file: workerFile, data: job, threads, tasks, collect, signal });
  [done, bytes] = [total, bytesTotal];
  report();
  return results;
}
