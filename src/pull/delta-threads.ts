/** The threads that run a static delta: this one, and workers beside it. */
import { availableParallelism } from 'node:os';
import type { Source } from '../../ostree/source.ts';
import type { CommitContent } from '../commit/content.ts';
import type { OnProgress } from '../progress.ts';
import { batchResults, type ResultBatch } from './content-job.ts';
import { DeltaCounters, type DeltaJob } from './delta-job.ts';
import { runDeltaLoop } from './delta-loop.ts';
import type { IngestedFile } from './file-ingest.ts';
import { allEnded, breather, runInWorker, startWorker, type StartedWorker, watchWork } from '../threads.ts';

const MAX_THREADS = 8;
/** A worker costs as much as to make so many bytes of objects. */
const BYTES_PER_WORKER = 32 * 1024 * 1024;
const PROGRESS_INTERVAL = 100;

export interface DeltaRunOptions {
  /** How many threads work on parts, this one included; without it, as many as pay. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Told of each object that is done, by its place in the job; also before an error. */
  readonly onObject: (index: number, object: IngestedFile) => void;
  /** What the wanted parts make, as the superblock has it. */
  readonly unpackedSize: number;
  /** The commit that the delta starts from, if it is in memory already. */
  readonly from?: CommitContent | undefined;
}

const workerFile = new URL(`./delta-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/**
 * Runs all parts of the job.
 * @throws the first error that a thread met, or the reason of the signal. No thread works any more then.
 */
export async function runDelta(job: DeltaJob, source: Source, options: DeltaRunOptions): Promise<void> {
  const { signal, onProgress, onObject, unpackedSize, from } = options;
  const counters = new DeltaCounters(job);
  const collect = (batch: ResultBatch): void => {
    for (const { index, file } of batchResults(batch)) onObject(index, file);
  };
  const report = (): void =>
    onProgress?.({
      phase: 'delta parts',
      done: counters.done,
      total: job.parts.length,
      bytes: counters.bytes,
      bytesTotal: unpackedSize,
    });
  const stop = (): void => counters.stop();

  const workers: StartedWorker[] = [];
  const work = async (): Promise<void> => {
    try {
      for (let left = workersFor(job, options); left > 0; left--) workers.push(startWorker(workerFile));
      await allEnded([
        ...workers.map((worker) => runInWorker(worker, job, collect, stop)),
        runDeltaLoop(job, source, collect, { ahead: workers.length === 0, from, breathe: breather() }),
      ]);
    } finally {
      await Promise.all(workers.map(({ worker }) => worker.terminate()));
    }
  };
  await watchWork(work, { signal, report, interval: PROGRESS_INTERVAL, stop });
}

function workersFor({ parts }: DeltaJob, { threads, unpackedSize }: DeltaRunOptions): number {
  if (threads !== undefined) return Math.max(0, Math.min(threads, parts.length) - 1);
  // The largest part is not shared, so that workers only spare this thread the others.
  const largest = parts.reduce((most, part) => Math.max(most, part.unpackedSize), 0);
  return Math.min(availableParallelism(), MAX_THREADS, 1 + Math.floor((unpackedSize - largest) / BYTES_PER_WORKER)) - 1;
}
