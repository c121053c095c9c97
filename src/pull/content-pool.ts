/** The threads that ingest content: this one, and workers beside it. */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CfsError, deserializeError } from '../../bytes/errors.ts';
import type { Source } from '../../ostree/source.ts';
import type { OnProgress } from '../progress.ts';
import {
  batchResults,
  JobCounters,
  type ContentJob,
  type ResultBatch,
  type WorkerMessage,
  type WorkerTask,
} from './content-job.ts';
import { runContentLoop, type Breathe } from './content-loop.ts';
import type { IngestedFile } from './file-ingest.ts';

const MAX_THREADS = 8;
/** A worker costs more than these many files. */
const FILES_PER_WORKER = 400;
/** Milliseconds of content work after which this thread lets timers, signals and messages in. */
const BREATH = 50;
const PROGRESS_INTERVAL = 100;

export interface IngestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The worker's own file, as it lies beside this one: a source or compiled. */
const workerFile = new URL(`./content-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

export class ContentThreads {
  readonly #threads: number;
  readonly #workers: ContentWorker[] = [];

  /** @param threads is their greatest number, this one included; by default the number of processors. */
  constructor(threads = Math.min(availableParallelism(), MAX_THREADS)) {
    this.#threads = threads;
  }

  /** Starts the workers, which load their code while this thread does something else. For when there will be much to do. */
  warmUp(): void {
    while (this.#workers.length < this.#threads - 1) this.#workers.push(startWorker());
  }

  /**
   * Ingests every file of the job; the results come in the order of the job. Once only.
   * @throws the first error that a thread met, or the reason of the signal. No thread works any more then.
   */
  async ingest(job: ContentJob, source: Source, { signal, onProgress }: IngestOptions = {}): Promise<IngestedFile[]> {
    const counters = new JobCounters(job);
    const results: IngestedFile[] = Array.from({ length: counters.total });
    const collect = (batch: ResultBatch): void => {
      for (const { index, file } of batchResults(batch)) results[index] = file;
    };
    const report = (): void =>
      onProgress?.({ phase: 'content', done: counters.done, total: counters.total, bytes: counters.bytes });
    const stop = (): void => counters.stop();

    signal?.throwIfAborted();
    signal?.addEventListener('abort', stop);
    const timer = setInterval(report, PROGRESS_INTERVAL);
    report();
    try {
      if (counters.total >= FILES_PER_WORKER) this.warmUp();
      const lanes = source.concurrency === 1 ? undefined : Math.ceil(source.concurrency / (this.#workers.length + 1));
      await allEnded([
        ...this.#workers.map((worker) => runInWorker(worker, { job, lanes }, collect)),
        runContentLoop(job, source, collect, { lanes, breathe: breather() }),
      ]);
    } catch (error) {
      // What was stopped in the middle of a file says so with an error of its own.
      signal?.throwIfAborted();
      throw error;
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', stop);
    }
    signal?.throwIfAborted();
    report();
    return results;
  }

  /** Ends the workers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }
}

interface ContentWorker {
  readonly worker: Worker;
  /** Why it ended, if it was not because it had done its part. */
  readonly ended: Promise<Error>;
}

function startWorker(): ContentWorker {
  const worker = new Worker(workerFile);
  const ended = new Promise<Error>((resolve) => {
    worker.once('error', resolve);
    worker.once('exit', (code) => resolve(new CfsError('SYSTEM', `A content worker ended with code ${code}`)));
  });
  return { worker, ended };
}

/** Lets the event loop run once every `BREATH` milliseconds. */
function breather(): Breathe {
  let last = performance.now();
  return () => {
    if (performance.now() - last < BREATH) return undefined;
    last = performance.now();
    return setImmediate();
  };
}

/** Waits for all, and throws the first error that is one of its own: others may only say that they were stopped for it. */
async function allEnded(threads: readonly Promise<void>[]): Promise<void> {
  const errors = (await Promise.allSettled(threads)).flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (errors.length === 0) return;
  throw errors.find((error) => !(error instanceof CfsError && error.code === 'CANCELLED')) ?? errors[0];
}

function runInWorker(
  { worker, ended: death }: ContentWorker,
  task: WorkerTask,
  collect: (batch: ResultBatch) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let ended = false;
    const failed = (error: Error): void => {
      // A worker that has done its part exits; the others go on.
      if (ended) return;
      ended = true;
      new JobCounters(task.job).stop();
      reject(error);
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'results') {
        collect(message.batch);
      } else if (message.kind === 'end') {
        ended = true;
        resolve();
      } else {
        failed(deserializeError(message.error));
      }
    });
    void death.then(failed);
    worker.postMessage(task);
  });
}
