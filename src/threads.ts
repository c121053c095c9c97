/** Threads that share a job: one that has other things to do too, and workers beside it. */
import { setImmediate } from 'node:timers/promises';
import { parentPort, Worker } from 'node:worker_threads';
import { CfsError, deserializeError, serializeError, type SerializedError } from '../bytes/errors.ts';

/** Milliseconds of work after which this thread lets timers, signals and messages in. */
const BREATH = 50;

/** Lets the event loop run, if it is time. */
export type Breathe = () => Promise<void> | undefined;

/** Lets the event loop run once every `BREATH` milliseconds. */
export function breather(): Breathe {
  let last = performance.now();
  return () => {
    if (performance.now() - last < BREATH) return undefined;
    last = performance.now();
    return setImmediate();
  };
}

/** Waits for all, and throws the first error that is one of its own: others may only say that they were stopped for it. */
export async function allEnded(threads: readonly Promise<void>[]): Promise<void> {
  const errors = (await Promise.allSettled(threads)).flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (errors.length === 0) return;
  throw errors.find((error) => !(error instanceof CfsError && error.code === 'CANCELLED')) ?? errors[0];
}

interface Watched {
  readonly signal?: AbortSignal | undefined;
  /** Tells how far the work is: at its start, every `interval` milliseconds, and at its end. */
  readonly report: () => void;
  readonly interval: number;
  /** Makes the work end early. */
  readonly stop: () => void;
}

/** Runs work that threads share, with progress; throws what it throws, or the reason of the signal, which stops it. */
export async function watchWork(work: () => Promise<void>, { signal, report, interval, stop }: Watched): Promise<void> {
  signal?.throwIfAborted();
  signal?.addEventListener('abort', stop);
  const timer = setInterval(report, interval);
  report();
  try {
    await work();
  } catch (error) {
    // What was stopped half-way says so with an error of its own.
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', stop);
  }
  signal?.throwIfAborted();
  report();
}

/** What a worker says. */
type WorkerMessage =
  | { readonly kind: 'results'; readonly batch: unknown }
  /** All results were sent. */
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: SerializedError };

export interface StartedWorker {
  readonly worker: Worker;
  /** Why it ended, if it was not because it had done its part. */
  readonly ended: Promise<Error>;
}

export function startWorker(file: URL): StartedWorker {
  const worker = new Worker(file);
  const ended = new Promise<Error>((resolve) => {
    worker.once('error', resolve);
    worker.once('exit', (code) => resolve(new CfsError('SYSTEM', `A worker thread ended with code ${code}`)));
  });
  return { worker, ended };
}

/**
 * Gives a worker its task, and waits until it has done its part.
 * @param stop ends the other threads' work; called when the worker fails.
 */
export function runInWorker(
  { worker, ended: death }: StartedWorker,
  task: unknown,
  collect: (batch: never) => void,
  stop: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let ended = false;
    const failed = (error: Error): void => {
      // A worker that has done its part exits; the others go on.
      if (ended) return;
      ended = true;
      stop();
      reject(error);
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'results') {
        collect(message.batch as never);
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

/** All that a worker does: waits for its one task, works on it, and ends. */
export function workOnce(work: (task: never, emit: (batch: unknown) => void) => Promise<void>): void {
  const port = parentPort!;
  const post = (message: WorkerMessage): void => port.postMessage(message);
  port.once('message', (task: unknown) => {
    void work(task as never, (batch) => post({ kind: 'results', batch }))
      .then(
        () => post({ kind: 'end' }),
        (error: unknown) => post({ kind: 'error', error: serializeError(error) }),
      )
      .finally(() => port.close());
  });
}
