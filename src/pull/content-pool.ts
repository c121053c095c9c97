/** The threads that ingest content: this one, and workers beside it. */
import { availableParallelism } from 'node:os';
import type { OnProgress } from '../progress.ts';
import { batchResults, ContentCounters, type ContentJob, type ResultBatch, type WorkerTask } from './content-job.ts';
import { runContentLoop } from './content-loop.ts';
import type { IngestedFile } from './file-ingest.ts';
import type { ContentSource } from './source.ts';
import { allEnded, breather, runInWorker, startWorker, type StartedWorker, watchWork } from '../threads.ts';

const MAX_THREADS = 8;
/** A worker costs more than these many files. */
const FILES_PER_WORKER = 400;
const PROGRESS_INTERVAL = 100;

export interface IngestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Told of each file that is done, by its place in the job. */
  readonly onFile?: ((index: number, file: IngestedFile) => void) | undefined;
}

/** The worker's own file, as it lies beside this one: a source or compiled. */
const workerFile = new URL(`./content-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

export class ContentThreads {
  readonly #threads: number;
  readonly #workers: StartedWorker[] = [];

  /** @param threads is their greatest number, this one included; by default the number of processors. */
  constructor(threads = Math.min(availableParallelism(), MAX_THREADS)) {
    this.#threads = threads;
  }

  /** Starts the workers, which load their code while this thread does something else. For when there will be much to do. */
  warmUp(): void {
    while (this.#workers.length < this.#threads - 1) this.#workers.push(startWorker(workerFile));
  }

  /**
   * Ingests every file of the job; the results come in the order of the job, but for what a tolerant one leaves
   * out. Once only.
   * @throws the first error that a thread met, or the reason of the signal. No thread works any more then.
   */
  async ingest(
    job: ContentJob,
    source: ContentSource,
    { signal, onProgress, onFile }: IngestOptions = {},
  ): Promise<IngestedFile[]> {
    const counters = new ContentCounters(job);
    const results: IngestedFile[] = Array.from({ length: counters.total });
    const collect = (batch: ResultBatch): void => {
      for (const { index, file } of batchResults(batch)) {
        results[index] = file;
        onFile?.(index, file);
      }
    };
    const report = (): void =>
      onProgress?.({ phase: 'content', done: counters.done, total: counters.total, bytes: counters.bytes });
    const stop = (): void => counters.stop();

    const work = async (): Promise<void> => {
      if (counters.total >= FILES_PER_WORKER) this.warmUp();
      const threads = this.#workers.length + 1;
      const lanes = source.concurrency === 1 ? undefined : Math.ceil(source.concurrency / threads);
      source.divide?.(threads);
      await allEnded([
        ...this.#workers.map((worker) =>
          runInWorker(worker, { job, lanes, threads } satisfies WorkerTask, collect, stop),
        ),
        runContentLoop(job, source, collect, { lanes, breathe: breather() }),
      ]);
    };
    await watchWork(work, { signal, report, interval: PROGRESS_INTERVAL, stop });
    return results;
  }

  /** Ends the workers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }
}
