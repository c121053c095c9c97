/** The parts of a static delta as a job that several threads share: each takes the next part from a counter. */
import type { SourceDescription } from '../../ostree/source.ts';
import type { DeltaPart, Superblock } from '../../ostree/delta/superblock.ts';
import { JobCounters } from '../job-counters.ts';
import type { ObjectWriterOptions } from '../repository/object-writer.ts';
import type { ObjectStore } from '../repository/objects.ts';
import type { SpaceBudget } from './space.ts';

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
  /** Of wanted parts, and bytes of objects made. */
  readonly counters: SharedArrayBuffer;
}

/** One thread's view of a job. */
export class DeltaCounters extends JobCounters {
  readonly #parts: readonly WantedPart[];

  constructor({ parts, counters }: DeltaJob) {
    super(counters, parts.length);
    this.#parts = parts;
  }

  /** Takes the next part; undefined when there is none or the job was stopped. */
  next(): WantedPart | undefined {
    const index = this.take();
    return index === undefined ? undefined : this.#parts[index];
  }
}

/** What messages call a part. */
export function partName({ name }: Pick<Superblock, 'name'>, { index }: Pick<DeltaPart, 'index'>): string {
  return `part ${index} of delta ${name}`;
}
