/**
 * The threads that work on the contents of a directory: workers, and the thread that reads the directory when it is ahead of
 * them, or when there are too few files for workers.
 */
import { closeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CfsError, deserializeError } from '../../bytes/errors.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { ContentFiles, type Breathe, type ContentTask } from './content-file.ts';
import { readFailure } from './failure.ts';
import { ContentRing, ringMemory, SLOTS, type StoreOutcome } from './content-ring.ts';
import type { WorkerFailure, WorkerInput } from './content-worker.ts';

/** Bytes that wait to be read when workers are worth their start. */
const MUCH = 8 << 20;
/** Milliseconds of work after which this thread lets timers, signals and messages in. */
const BREATH = 50;

const workerFile = new URL(`./content-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

interface Pending {
  /** For messages; a byte string. */
  readonly path: string;
  readonly onDigest: (id: ObjectId) => void;
}

export class ContentThreads implements AsyncDisposable {
  readonly #task: ContentTask;
  readonly #threads: number;
  readonly #memory = ringMemory();
  readonly #ring: ContentRing;
  readonly #files: ContentFiles;
  readonly #breathe: Breathe;
  readonly #workers: { readonly worker: Worker; readonly ended: Promise<void> }[] = [];
  /** By slot. */
  readonly #pending: Pending[] = [];
  /** Files whose slots were given back. */
  #collected = 0;
  #waitingBytes = 0;
  #failure: Error | undefined;

  /** @param threads the greatest number, this one included. */
  constructor(task: ContentTask, threads: number, onBreath: () => void) {
    // Objects without a name keep their file open.
    this.#task = { ...task, batch: Math.ceil(task.batch / threads) };
    this.#threads = threads;
    this.#ring = new ContentRing(this.#memory, task.algorithm);
    this.#files = new ContentFiles(this.#task, this.#ring);
    this.#breathe = breather(() => {
      onBreath();
      this.#throwFailure();
    });
  }

  get outcomes(): Readonly<Record<StoreOutcome, number>> {
    return this.#ring.outcomes;
  }

  get done(): number {
    return this.#ring.done;
  }

  get bytes(): number {
    return this.#ring.bytes;
  }

  /** Lets the event loop run now and then. */
  get breathe(): Breathe {
    return this.#breathe;
  }

  /**
   * Hands over an open file of `size` > 0 bytes, which will be closed, also if this fails.
   * @param onDigest is called some time before `finish` ends.
   */
  async add(fd: number, size: number, path: string, onDigest: Pending['onDigest']): Promise<void> {
    try {
      await this.#waitForSlot();
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#pending[this.#ring.added % SLOTS] = { path, onDigest };
    this.#ring.add(fd, size);
    this.#waitingBytes += size;
    if (this.#waitingBytes >= MUCH) this.#startWorkers();
  }

  async #waitForSlot(): Promise<void> {
    this.#collect();
    while (this.#ring.added - this.#collected === SLOTS) {
      this.#startWorkers();
      await this.#help();
      this.#collect();
    }
  }

  /** Waits until every file is done and every object has its name. @throws the first error of a file */
  async finish(): Promise<void> {
    while (this.#collected < this.#ring.added) {
      await this.#help();
      this.#collect();
    }
    this.#ring.close();
    this.#files.flush();
    await Promise.all(this.#workers.map(({ ended }) => ended));
    this.#throwFailure();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ring.stop();
    for (let file = this.#ring.take(); file !== undefined; file = this.#ring.take()) closeSync(file.fd);
    await Promise.all(this.#workers.map(({ ended }) => ended));
    this.#files[Symbol.dispose]();
  }

  /** Works on one file, or waits a moment for those that workers have. */
  async #help(): Promise<void> {
    const { done } = this.#ring;
    const file = this.#ring.stopped ? undefined : this.#ring.take();
    if (file === undefined) {
      this.#ring.waitForDone(done, BREATH);
      if (this.#ring.stopped) await Promise.all(this.#workers.map(({ ended }) => ended));
      this.#throwFailure();
    } else {
      try {
        this.#ring.finish(file.number, await this.#files.process(file.fd, file.size, this.#breathe));
      } catch (error) {
        throw this.#describe(file.number, error as Error);
      }
    }
    await this.#breathe();
  }

  /** Takes the digests of files that are done, in order. */
  #collect(): void {
    for (; this.#collected < this.#ring.added; this.#collected++) {
      const id = this.#ring.digest(this.#collected);
      if (id === undefined) return;
      this.#pending[this.#collected % SLOTS]!.onDigest(id);
    }
  }

  #startWorkers(): void {
    while (this.#workers.length < this.#threads - 1) {
      const input: WorkerInput = { task: this.#task, memory: this.#memory };
      const worker = new Worker(workerFile, { workerData: input, trackUnmanagedFds: false });
      const ended = new Promise<void>((resolve) => {
        worker.on('message', ({ number, error }: WorkerFailure) => {
          const failure = deserializeError(error);
          this.#failed(number === undefined ? failure : this.#describe(number, failure));
        });
        worker.once('error', (error) => {
          this.#failed(error instanceof Error ? error : new Error(String(error)));
          resolve();
        });
        worker.once('exit', (code) => {
          if (code !== 0) this.#failed(new CfsError('SYSTEM', `A worker ended with code ${code}`));
          resolve();
        });
      });
      this.#workers.push({ worker, ended });
    }
  }

  #failed(error: Error): void {
    // Others only say that they were stopped for it.
    if (this.#failure === undefined || isCancelled(this.#failure)) this.#failure = error;
    this.#ring.stop();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #describe(number: number, error: Error): Error {
    if (isCancelled(error)) return error;
    const path = this.#pending[number % SLOTS]!.path;
    return readFailure(path, error);
  }
}

function isCancelled(error: Error): boolean {
  return error instanceof CfsError && error.code === 'CANCELLED';
}

function breather(onBreath: () => void): Breathe {
  let last = performance.now();
  const breath = async (): Promise<void> => {
    await setImmediate();
    last = performance.now();
    onBreath();
  };
  return () => {
    if (performance.now() - last < BREATH) return undefined;
    return breath();
  };
}
