/**
 * The files of a pull as a job that several threads share: each takes the next file from a counter and does everything for
 * it, so that no content crosses a thread. Results travel in batches of a few flat arrays.
 */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { counterMemory, JobCounters } from '../job-counters.ts';
import type { ObjectWriterOptions } from '../repository/object-writer.ts';
import type { ObjectId } from '../verity/object-id.ts';
import type { IngestedFile } from './file-ingest.ts';
import type { ContentSourceDescription } from './source.ts';
import type { SpaceBudget } from './space.ts';

const CHECKSUM_SIZE = 32;

/** Plain data and shared memory. */
export interface ContentJob {
  readonly source: ContentSourceDescription;
  readonly writer: ObjectWriterOptions;
  /** The checksums, 32 bytes each. */
  readonly checksums: SharedArrayBuffer;
  /** Of files, and bytes of content. */
  readonly counters: SharedArrayBuffer;
  readonly space: SpaceBudget;
  /** Files that the source does not have, or not whole, are left out. */
  readonly tolerant: boolean;
}

export function contentJob(
  source: ContentSourceDescription,
  writer: ObjectWriterOptions,
  space: SpaceBudget,
  files: readonly OstreeChecksum[],
  tolerant = false,
): ContentJob {
  const checksums = new SharedArrayBuffer(files.length * CHECKSUM_SIZE);
  const all = Buffer.from(checksums);
  for (const [i, checksum] of files.entries()) all.write(checksum, i * CHECKSUM_SIZE, 'hex');
  return { source, writer, checksums, counters: counterMemory(), space, tolerant };
}

/** One thread's view of a job. */
export class ContentCounters extends JobCounters {
  readonly #checksums: Buffer;

  constructor({ checksums, counters }: ContentJob) {
    super(counters, checksums.byteLength / CHECKSUM_SIZE);
    this.#checksums = Buffer.from(checksums);
  }

  /** Takes the next file; undefined when there is none or the job was stopped. */
  next(): { readonly index: number; readonly checksum: OstreeChecksum } | undefined {
    const index = this.take();
    if (index === undefined) return undefined;
    const at = index * CHECKSUM_SIZE;
    return { index, checksum: this.#checksums.toString('hex', at, at + CHECKSUM_SIZE) as OstreeChecksum };
  }
}

/** Results of many files as few arrays. */
export interface ResultBatch {
  readonly indices: Uint32Array;
  /** Length of each file's data in `data`. */
  readonly lengths: Uint32Array;
  readonly data: Uint8Array;
  readonly objects: readonly (ObjectId | undefined)[];
  readonly hows: readonly IngestedFile['how'][];
}

/** What a worker is to do. */
export interface WorkerTask {
  readonly job: ContentJob;
  /** Files that it opens at the same time. */
  readonly lanes: number | undefined;
  /** How many threads work on the job. */
  readonly threads: number;
}

/** Files per batch: a batch is a message, so neither too few nor too many. */
const BATCH = 2048;

/** Collects results and hands them on in batches. */
export class ResultCollector {
  readonly #emit: (batch: ResultBatch) => void;
  #results: { readonly index: number; readonly file: IngestedFile }[] = [];

  constructor(emit: (batch: ResultBatch) => void) {
    this.#emit = emit;
  }

  add(index: number, file: IngestedFile): void {
    this.#results.push({ index, file });
    if (this.#results.length === BATCH) this.flush();
  }

  flush(): void {
    if (this.#results.length === 0) return;
    const results = this.#results;
    this.#results = [];
    this.#emit({
      indices: Uint32Array.from(results, ({ index }) => index),
      lengths: Uint32Array.from(results, ({ file }) => file.data.length),
      data: Buffer.concat(results.map(({ file }) => file.data)),
      objects: results.map(({ file }) => file.object),
      hows: results.map(({ file }) => file.how),
    });
  }
}

/** The results of a batch, one by one; data are views. */
export function* batchResults(batch: ResultBatch): Generator<{ readonly index: number; readonly file: IngestedFile }> {
  let offset = 0;
  for (const [i, index] of batch.indices.entries()) {
    const data = batch.data.subarray(offset, (offset += batch.lengths[i]!));
    yield { index, file: { data, object: batch.objects[i], how: batch.hows[i]! } };
  }
}
