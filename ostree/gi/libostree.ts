/**
 * libostree in a process of its own (`server/main.ts`), for what only the authority can tell: a crash there is an error here.
 *
 * Large objects are handed over as descriptors, by way of `/proc/PID/fd`, so that no bytes of theirs cross a pipe.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CfsError, NotFoundError, UnsupportedError } from '../../bytes/errors.ts';
import { FRAME_HEADER, type Answer, type CallName, type Calls, type FetchProgress } from './server/protocol.ts';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const serverFile = new URL(`./server/main${extension}`, import.meta.url);

/** Characters of the process's standard error that are kept. */
const LAST_WORDS = 4096;

export interface CallOptions {
  /** Ends the wait; what was asked goes on until `close`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** What a call gives; `bytes` are those that come with an object. */
export interface Answered<Name extends CallName> {
  readonly result: Calls[Name][1];
  readonly bytes: Uint8Array;
}

interface Waiting {
  readonly call: CallName;
  readonly resolve: (answer: Answered<CallName>) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: CallOptions['onProgress'];
}

export class Libostree implements Disposable, AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #requests: Writable;
  /** In the order of their requests. */
  readonly #waiting: Waiting[] = [];
  #received: Buffer = Buffer.alloc(0);
  #lastWords = '';
  /** Why nothing can be asked any more. */
  #ended: Error | undefined;
  readonly #gone = Promise.withResolvers<void>();

  private constructor() {
    // A group of its own: Ctrl-C in a terminal is for us to act on.
    this.#process = spawn(process.execPath, [fileURLToPath(serverFile)], {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, LC_ALL: 'C.UTF-8', GIO_USE_VFS: 'local', NODE_OPTIONS: '' },
    });
    const [requests, , stderr, answers] = this.#process.stdio as unknown as [Writable, null, Readable, Readable];
    // Its end says why.
    requests.on('error', () => undefined);
    this.#requests = requests;
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
    });
    answers.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#process.once('error', (error) => {
      this.#gone.resolve();
      this.#end(`did not start: ${error.message}`);
    });
    this.#process.once('close', (code, signal) => {
      this.#gone.resolve();
      this.#end(signal === null ? `ended with code ${code}` : `was ended by ${signal}`);
    });
  }

  /** @throws UnsupportedError where node-gtk or libostree is missing. */
  static async start(): Promise<Libostree> {
    assertSetUp();
    const libostree = new Libostree();
    try {
      await libostree.#wait('open', undefined);
      return libostree;
    } catch (error) {
      libostree.close();
      throw new UnsupportedError('libostree cannot be loaded; npm run setup:libostree says what is missing', {}, error);
    }
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /**
   * Asks libostree.
   * @throws what libostree says: NotFoundError, or a CfsError NO_SPACE, CORRUPT or SYSTEM; SYSTEM also if its process ended.
   */
  async call<Name extends CallName>(
    call: Name,
    args: Calls[Name][0],
    { signal, onProgress }: CallOptions = {},
  ): Promise<Answered<Name>> {
    signal?.throwIfAborted();
    const answer = this.#wait(call, onProgress) as Promise<Answered<Name>>;
    this.#requests.write(`${JSON.stringify({ call, arguments: args })}\n`);
    if (signal === undefined) return answer;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    try {
      return await Promise.race([answer, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** A descriptor of our own for a file that the process holds open, and that it no longer needs. */
  take(fd: number): number {
    try {
      return openSync(`/proc/${this.pid}/fd/${fd}`, 'r');
    } finally {
      this.call('release', { fd }).catch(() => undefined);
    }
  }

  #wait(call: CallName, onProgress: CallOptions['onProgress']): Promise<Answered<CallName>> {
    return new Promise((resolve, reject) => {
      if (this.#ended === undefined) this.#waiting.push({ call, resolve, reject, onProgress });
      else reject(this.#ended);
    });
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const frame = this.#received;
      if (frame.length < FRAME_HEADER) return;
      const jsonEnd = FRAME_HEADER + frame.readUInt32BE(0);
      const end = jsonEnd + frame.readUInt32BE(4);
      if (frame.length < end) return;
      this.#received = frame.subarray(end);
      this.#answer(JSON.parse(frame.toString('utf8', FRAME_HEADER, jsonEnd)) as Answer, frame.subarray(jsonEnd, end));
    }
  }

  #answer(answer: Answer, bytes: Uint8Array): void {
    const [first] = this.#waiting;
    if (answer.kind === 'progress') return first?.onProgress?.(answer.progress);
    this.#waiting.shift();
    if (answer.kind === 'error') first?.reject(errorOf(answer.message));
    else first?.resolve({ result: answer.result as Calls[CallName][1], bytes });
  }

  #end(how: string): void {
    if (this.#ended !== undefined) return;
    const words = this.#lastWords.trim();
    const during = this.#waiting[0] === undefined ? '' : ` during '${this.#waiting[0].call}'`;
    const said = words === '' ? '' : `; it said: ${words}`;
    this.#ended = new CfsError('SYSTEM', `The process of libostree ${how}${during}${said}`, { pid: this.#process.pid });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }

  /** Ends the process, whatever it is doing. */
  close(): void {
    this.#end('was closed');
    this.#process.kill('SIGKILL');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** As `close`, and waits until the process writes no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#gone.promise;
  }
}

/** @throws UnsupportedError */
function assertSetUp(): void {
  try {
    createRequire(serverFile).resolve('node-gtk');
  } catch (error) {
    const problem = "libostree is not set up here: 'npm run setup:libostree' does so in a clone of the sources";
    throw new UnsupportedError(`${problem}; everything but --backend=libostree works without it`, {}, error);
  }
}

const missing = /not found$|No such (file or directory$|metadata object|branch)|Couldn't find file object/;

/** libostree's errors reach JavaScript as messages alone. */
function errorOf(message: string): CfsError {
  const text = `libostree: ${message}`;
  if (/No space left on device/.test(message)) return new CfsError('NO_SPACE', text);
  if (missing.test(message)) return new NotFoundError(text);
  return new CfsError(/corrupt|invalid|signature/i.test(message) ? 'CORRUPT' : 'SYSTEM', text);
}
