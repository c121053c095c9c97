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
  /** All results of the task were sent. */
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: SerializedError };

export interface StartedWorker {
  readonly worker: Worker;
  /** Why it ended, if it was not because it had done its part. */
  readonly ended: Promise<Error>;
}

/** @param data is what the worker finds as its `workerData`. */
export function startWorker(file: URL, data?: unknown): StartedWorker {
  const worker = new Worker(file, { workerData: data });
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
export async function runInWorker(
  started: StartedWorker,
  task: unknown,
  collect: (batch: never) => void,
  stop: () => void,
): Promise<void> {
  try {
    await giveTasks(started, [task].values(), collect);
  } catch (error) {
    stop();
    throw error;
  }
}

/** Gives a worker one task after the other, and waits until none is left and it has done its own. */
function giveTasks(
  { worker, ended: death }: StartedWorker,
  tasks: Iterator<unknown>,
  collect: (batch: never) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = (): void => {
      const { value, done } = tasks.next();
      if (done === true) resolve();
      else worker.postMessage(value);
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'results') collect(message.batch as never);
      else if (message.kind === 'end') give();
      else reject(deserializeError(message.error));
    });
    // A worker that has done its part may end while the others go on: nothing is left to be rejected then.
    void death.then(reject);
    give();
  });
}

export interface SharedTasks {
  /** The workers' own file. */
  readonly file: URL;
  /** What each of them is made with. */
  readonly data: unknown;
  /** The number of workers at most. */
  readonly threads: number;
  readonly tasks: readonly unknown[];
  /** Is given what they emit. */
  readonly collect: (batch: never) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has workers do all tasks: each takes the next one when it has done one.
 * @throws the first error that a worker met, or the reason of the signal. No worker runs any more then.
 */
export async function runTasks({ file, data, threads, tasks, collect, signal }: SharedTasks): Promise<void> {
  signal?.throwIfAborted();
  const waiting = tasks.values();
  const workers: StartedWorker[] = [];
  const stop = Promise.withResolvers<never>();
  const abort = (): void => stop.reject(signal!.reason as Error);
  signal?.addEventListener('abort', abort);
  try {
    for (let left = Math.min(threads, tasks.length); left > 0; left--) workers.push(startWorker(file, data));
    const done = workers.map((worker) => giveTasks(worker, waiting, collect));
    await Promise.race([stop.promise, Promise.all(done)]);
  } finally {
    signal?.removeEventListener('abort', abort);
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
  }
}

type Work = (task: never, emit: (batch: unknown) => void) => void | Promise<void>;

/** All that a worker does: waits for its one task, works on it, and ends. */
export function workOnce(work: Work): void {
  const port = parentPort!;
  port.once('message', (task: unknown) => void answer(work, task).finally(() => port.close()));
}

/** The same for a worker that gets one task after the other, until it is ended. */
export function workOnEach(work: Work): void {
  parentPort!.on('message', (task: unknown) => void answer(work, task));
}

async function answer(work: Work, task: unknown): Promise<void> {
  const post = (message: WorkerMessage): void => parentPort!.postMessage(message);
  try {
    await work(task as never, (batch) => post({ kind: 'results', batch }));
    post({ kind: 'end' });
  } catch (error) {
    post({ kind: 'error', error: serializeError(error) });
  }
}
