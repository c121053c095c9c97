/** The threads that hash all objects: this one, and workers beside it once it has taken some time. */
import { availableParallelism } from 'node:os';
import {
  allEnded,
  breather,
  runInWorker,
  startWorker,
  type Breathe,
  type StartedWorker,
  watchWork,
} from '../threads.ts';
import { checkCounters, runCheckLoop, type CheckJob, type Finding } from './check-job.ts';
import { objectCount } from './object-table.ts';

const MAX_THREADS = 16;
/** Milliseconds of work of this thread that workers are worth. */
const WORTH_WORKERS = 100;
const PROGRESS_INTERVAL = 100;

const workerFile = new URL(`./check-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

export interface CheckThreadsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, bytes: number) => void) | undefined;
}

/** Everything that is wrong, in the order of the objects. @throws the reason of the signal */
export async function checkObjects(job: CheckJob, { signal, onProgress }: CheckThreadsOptions): Promise<Finding[]> {
  const counters = checkCounters(job);
  const findings: Finding[] = [];
  const collect = (batch: readonly Finding[]): void => void findings.push(...batch);
  const stop = (): void => counters.stop();
  const report = (): void => onProgress?.(counters.done, counters.bytes);
  const workers: StartedWorker[] = [];
  const running: Promise<void>[] = [];
  const most = Math.min(availableParallelism(), MAX_THREADS, objectCount(job.table)) - 1;
  const start = performance.now();
  const breathe = breather();
  const help: Breathe = () => {
    if (workers.length < most && performance.now() - start > WORTH_WORKERS) {
      const started = startWorker(workerFile);
      workers.push(started);
      const ended = runInWorker(started, job, collect, stop);
      // Awaited at the end.
      ended.catch(() => undefined);
      running.push(ended);
    }
    return breathe();
  };
  const work = async (): Promise<void> => {
    try {
      const own = runCheckLoop(job, collect, help);
      await own.catch(stop);
      await allEnded([own, ...running]);
    } finally {
      await Promise.all(workers.map(({ worker }) => worker.terminate()));
    }
  };
  await watchWork(work, { signal, report, interval: PROGRESS_INTERVAL, stop });
  return findings.sort((a, b) => a.index - b.index);
}
