/** The parts of a static delta as a job that several threads share: each takes the next part from a counter. */
import type { SourceDescription } from '../../ostree/source.ts';
import type { DeltaPart, Superblock } from '../../ostree/delta/superblock.ts';
import type { ObjectWriterOptions } from '../repository/object-writer.ts';
import type { ObjectStore } from '../repository/objects.ts';
import type { SpaceBudget } from './space.ts';

/** Slots of the shared counters. */
const NEXT = 0;
const DONE = 1;
const STOP = 2;
const COUNTERS = 3;

/** A part that is wanted, and which of its objects are not: one byte each, 1 for those. */
export interface WantedPart {
  readonly index: number;
  readonly held: Uint8Array;
  /** What it makes, as the superblock has it. */
  readonly unpackedSize: number;
  /** The place of its first object among those of all wanted parts. */
  readonly first: number;
}

/** Plain data and shared memory. */
export interface DeltaJob {
  readonly source: SourceDescription;
  readonly writer: ObjectWriterOptions;
  readonly store: ObjectStore;
  readonly space: SpaceBudget;
  /** The file `superblock`. */
  readonly superblock: Uint8Array;
  readonly parts: readonly WantedPart[];
  readonly counters: SharedArrayBuffer;
  /** One 64-bit number: bytes of objects made. */
  readonly bytes: SharedArrayBuffer;
}

/** Memory for the counters of a job. */
export function deltaCounters(): Pick<DeltaJob, 'counters' | 'bytes'> {
  return { counters: new SharedArrayBuffer(4 * COUNTERS), bytes: new SharedArrayBuffer(8) };
}

/** One thread's view of a job. */
export class DeltaCounters {
  readonly #parts: readonly WantedPart[];
  readonly #counters: Int32Array;
  readonly #bytes: BigInt64Array;

  constructor({ parts, counters, bytes }: Pick<DeltaJob, 'parts' | 'counters' | 'bytes'>) {
    this.#parts = parts;
    this.#counters = new Int32Array(counters);
    this.#bytes = new BigInt64Array(bytes);
  }

  /** Takes the next part; undefined when there is none or the job was stopped. */
  next(): WantedPart | undefined {
    return this.stopped ? undefined : this.#parts[Atomics.add(this.#counters, NEXT, 1)];
  }

  addPart(): void {
    Atomics.add(this.#counters, DONE, 1);
  }

  addBytes(bytes: number): void {
    Atomics.add(this.#bytes, 0, BigInt(bytes));
  }

  get done(): number {
    return Atomics.load(this.#counters, DONE);
  }

  get bytes(): number {
    return Number(Atomics.load(this.#bytes, 0));
  }

  stop(): void {
    Atomics.store(this.#counters, STOP, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#counters, STOP) === 1;
  }
}

/** What messages call a part. */
export function partName({ name }: Pick<Superblock, 'name'>, { index }: Pick<DeltaPart, 'index'>): string {
  return `part ${index} of delta ${name}`;
}
