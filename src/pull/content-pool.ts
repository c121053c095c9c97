/** Runs a content job on worker threads, or in this thread when there are to be none. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CfsError, deserializeError } from '../../bytes/errors.ts';
import type { Source } from '../../ostree/source.ts';
import type { OnProgress } from '../progress.ts';
import { batchResults, JobCounters, type ContentJob, type ResultBatch, type WorkerMessage } from './content-job.ts';
import { runContentLoop } from './content-loop.ts';
import type { IngestedFile } from './file-ingest.ts';

/** A thread costs more than these many files. */
const FILES_PER_WORKER = 200;
const MAX_WORKERS = 8;
const PROGRESS_INTERVAL = 100;

export interface ContentOptions {
  /** Number of worker threads; 0 works in this thread. By default as many as pay off. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export function defaultWorkers(files: number): number {
  return Math.min(availableParallelism(), MAX_WORKERS, Math.floor(files / FILES_PER_WORKER));
}

/**
 * Ingests every file of the job; the results come in the order of the job.
 * @throws the first error that a thread met, or the reason of the signal. All threads have ended then.
 */
export async function ingestContent(
  job: ContentJob,
  source: Source,
  { workers, signal, onProgress }: ContentOptions = {},
): Promise<IngestedFile[]> {
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
    const threads = workers ?? defaultWorkers(counters.total);
    if (threads === 0) await runContentLoop(job, source, collect);
    else await runWorkers(job, threads, collect);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', stop);
  }
  signal?.throwIfAborted();
  report();
  return results;
}

async function runWorkers(job: ContentJob, count: number, collect: (batch: ResultBatch) => void): Promise<void> {
  const ended = await Promise.allSettled(Array.from({ length: count }, () => runWorker(job, collect)));
  const errors = ended.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  // Others may only say that they were stopped on account of the first.
  const first = errors.find((error) => !(error instanceof CfsError && error.code === 'CANCELLED')) ?? errors[0];
  if (first !== undefined) throw first;
}

/** The worker's own file, as it lies beside this one: a source or compiled. */
const workerFile = new URL(`./content-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

function runWorker(job: ContentJob, collect: (batch: ResultBatch) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerFile, { workerData: job });
    const failed = (error: Error): void => {
      new JobCounters(job).stop();
      reject(error);
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'results') collect(message.batch);
      else failed(deserializeError(message.error));
    });
    worker.on('error', failed);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else failed(new CfsError('SYSTEM', `A content worker ended with code ${code}`));
    });
  });
}
