/**
 * Open files on their way from the thread that reads a directory to those that hash them, in shared memory: the descriptor and
 * size go in, the digest comes out. There is room for a fixed number of files, so that no more are open at a time; whoever
 * adds files takes some of them itself when there is none.
 *
 * A file's slot is its number modulo the number of slots. Numbers are taken in order, and given back in order by the thread that
 * added them.
 */
import { digestSize, objectIdFromBytes, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';

/** Files that are open at a time. */
export const SLOTS = 256;

const ADDED = 0;
const TAKEN = 1;
const DONE = 2;
const CLOSED = 3;
const STOPPED = 4;
const STORED = 5;
const PRESENT = 6;
const REFLINKED = 7;
/** Bumped with every change that somebody may wait for. */
const WAKE = 8;
const HEADER = 9;

/** Per slot: descriptor, low and high half of the size, 1 once it is done; then the digest. */
const FIELDS = 4;
const DIGEST_WORDS = 16;
const SLOT_WORDS = FIELDS + DIGEST_WORDS;

export type RingMemory = SharedArrayBuffer;

export function ringMemory(): RingMemory {
  return new SharedArrayBuffer(8 + 4 * (HEADER + 1 + SLOTS * SLOT_WORDS));
}

export interface TakenFile {
  readonly number: number;
  readonly fd: number;
  readonly size: number;
}

/** How an object came to be there. */
export type StoreOutcome = 'stored' | 'reflinked' | 'present';

const outcomeCounters = { stored: STORED, reflinked: REFLINKED, present: PRESENT } as const;

/** One thread's view of the ring. */
export class ContentRing {
  readonly #words: Int32Array;
  readonly #digests: Buffer;
  readonly #bytes: BigInt64Array;
  readonly #algorithm: HashAlgorithm;

  constructor(memory: RingMemory, algorithm: HashAlgorithm) {
    this.#bytes = new BigInt64Array(memory, 0, 1);
    this.#words = new Int32Array(memory, 8);
    this.#digests = Buffer.from(memory, 8);
    this.#algorithm = algorithm;
  }

  #load(at: number): number {
    return Atomics.load(this.#words, at);
  }

  #wake(): void {
    Atomics.add(this.#words, WAKE, 1);
    Atomics.notify(this.#words, WAKE);
  }

  /** Files that were added, so far. */
  get added(): number {
    return this.#load(ADDED);
  }

  /** Files that are done, in any order. */
  get done(): number {
    return this.#load(DONE);
  }

  get stopped(): boolean {
    return this.#load(STOPPED) === 1;
  }

  get bytes(): number {
    return Number(Atomics.load(this.#bytes, 0));
  }

  addBytes(count: number): void {
    Atomics.add(this.#bytes, 0, BigInt(count));
  }

  /** How many objects were new, shared the blocks of their file, or were there. */
  get outcomes(): Readonly<Record<StoreOutcome, number>> {
    return { stored: this.#load(STORED), reflinked: this.#load(REFLINKED), present: this.#load(PRESENT) };
  }

  count(outcome: StoreOutcome): void {
    Atomics.add(this.#words, outcomeCounters[outcome], 1);
  }

  #slot(number: number): number {
    return HEADER + (number % SLOTS) * SLOT_WORDS;
  }

  /** Adds a file; the slot has been given back. The thread that takes it closes it. */
  add(fd: number, size: number): number {
    const number = this.#load(ADDED);
    const slot = this.#slot(number);
    this.#words[slot] = fd;
    this.#words[slot + 1] = (size % 2 ** 32) | 0;
    this.#words[slot + 2] = Math.floor(size / 2 ** 32);
    Atomics.store(this.#words, slot + 3, 0);
    Atomics.store(this.#words, ADDED, number + 1);
    this.#wake();
    return number;
  }

  /** The next file that nobody has taken, if there is one now. */
  take(): TakenFile | undefined {
    for (;;) {
      const number = this.#load(TAKEN);
      if (number >= this.#load(ADDED)) return undefined;
      if (Atomics.compareExchange(this.#words, TAKEN, number, number + 1) !== number) continue;
      const slot = this.#slot(number);
      const size = (this.#words[slot + 1]! >>> 0) + this.#words[slot + 2]! * 2 ** 32;
      return { number, fd: this.#words[slot]!, size };
    }
  }

  /** The next file; undefined once no more will come. For threads that may sleep. */
  takeOrWait(): TakenFile | undefined {
    for (;;) {
      const wake = this.#load(WAKE);
      if (this.stopped) return undefined;
      const file = this.take();
      if (file !== undefined) return file;
      if (this.#load(CLOSED) === 1) return undefined;
      Atomics.wait(this.#words, WAKE, wake);
    }
  }

  finish(number: number, digest: ObjectId): void {
    const slot = this.#slot(number);
    this.#digests.write(digest, 4 * (slot + FIELDS), 'hex');
    Atomics.store(this.#words, slot + 3, 1);
    Atomics.add(this.#words, DONE, 1);
    this.#wake();
  }

  /** The digest of a file that is done. */
  digest(number: number): ObjectId | undefined {
    const slot = this.#slot(number);
    if (this.#load(slot + 3) === 0) return undefined;
    const at = 4 * (slot + FIELDS);
    return objectIdFromBytes(this.#digests.subarray(at, at + digestSize(this.#algorithm)));
  }

  /** No more files will be added. */
  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
    this.#wake();
  }

  /** Nobody takes files any more. */
  stop(): void {
    Atomics.store(this.#words, STOPPED, 1);
    this.#wake();
  }

  /** Sleeps until something changes, or for `milliseconds`, unless it has since `done` was looked at. */
  waitForDone(done: number, milliseconds: number): void {
    const wake = this.#load(WAKE);
    if (this.done !== done || this.stopped) return;
    Atomics.wait(this.#words, WAKE, wake, milliseconds);
  }
}
