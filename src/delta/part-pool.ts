/** Workers that make the parts of a delta, each one group after the other. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CfsError, deserializeError } from '../../bytes/errors.ts';
import type { OnProgress } from '../progress.ts';
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
  signal?.throwIfAborted();
  const results: MadeParts[] = Array.from({ length: groups.length });
  const workers: Worker[] = [];
  const stop = Promise.withResolvers<never>();
  const abort = (): void => stop.reject(signal!.reason as Error);
  signal?.addEventListener('abort', abort);
  // The longest first, so that all workers end at about the same time.
  const waiting = Array.from(groups.entries()).sort(([, a], [, b]) => b.work - a.work);
  let done = 0;
  let bytes = 0;
  const runWorker = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const give = (): void => {
        const [group, planned] = waiting.shift() ?? [];
        if (group === undefined) resolve();
        else worker.postMessage({ group, objects: planned!.objects } satisfies PartTask);
      };
      worker.on('message', (message: PartMessage) => {
        if (message.kind === 'progress') {
          done += message.objects;
          bytes += message.bytes;
          onProgress?.({ phase: 'delta', done, total, bytes, bytesTotal });
        } else if (message.kind === 'made') {
          results[message.group] = message.made;
          give();
        } else {
          reject(deserializeError(message.error));
        }
      });
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new CfsError('SYSTEM', `A delta worker ended with code ${code}`)));
      give();
    });
  try {
    for (let left = Math.min(threads, groups.length); left > 0; left--) {
      workers.push(new Worker(workerFile, { workerData: job }));
    }
    onProgress?.({ phase: 'delta', done, total, bytes, bytesTotal });
    await Promise.race([Promise.all(workers.map(runWorker)), stop.promise]);
    onProgress?.({ phase: 'delta', done: total, total, bytes: bytesTotal, bytesTotal });
    return results;
  } finally {
    signal?.removeEventListener('abort', abort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
