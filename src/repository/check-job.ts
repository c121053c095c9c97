/** The hashing of all objects as a job that several threads share: each takes the next object from a counter. */
import { closeSync, lstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { toHex } from '../../bytes/hex.ts';
import { counterMemory, JobCounters } from '../job-counters.ts';
import { measureVerity } from '../linux/ioctl.ts';
import type { Breathe } from '../threads.ts';
import { VerityHasher } from '../verity/digest.ts';
import { objectPath, type ObjectId } from '../verity/object-id.ts';
import { sha256Stream, type StreamHash } from '../verity/stream-hash.ts';
import { sumsOf, type ContentSum, type ContentSums } from './content-sums.ts';
import type { ProblemKind } from './fsck-report.ts';
import { readPieces } from './measure.ts';
import { objectAt, objectCount, type ObjectTable } from './object-table.ts';

/** Sums that are computed in one reading; a content that more are told of is read again. */
const SUMS_AT_ONCE = 16;
const BATCH = 1000;

/** Plain data and shared memory. */
export interface CheckJob {
  /** The `objects` directory. */
  readonly directory: string;
  readonly secure: boolean;
  readonly table: ObjectTable;
  readonly sums: ContentSums | undefined;
  /** Of objects and their bytes. */
  readonly counters: SharedArrayBuffer;
}

export function checkJob(root: string, secure: boolean, table: ObjectTable, sums: ContentSums | undefined): CheckJob {
  return { directory: join(root, 'objects'), secure, table, sums, counters: counterMemory() };
}

/** Only what is wrong. */
export type Finding =
  | { readonly index: number; readonly kind: ProblemKind; readonly detail: string | undefined }
  /** A sum is another one than what was told. */
  | { readonly index: number; readonly position: number; readonly actual: string };

/** Works on the job until no object is left. @throws CfsError CANCELLED once it was stopped */
export async function runCheckLoop(
  job: CheckJob,
  emit: (batch: readonly Finding[]) => void,
  breathe?: Breathe,
): Promise<void> {
  const counters = checkCounters(job);
  const checker = new ObjectChecker(job, counters, breathe);
  let findings: Finding[] = [];
  for (let index = counters.take(); index !== undefined; index = counters.take()) {
    findings.push(...(await checker.check(index)));
    counters.addDone();
    if (findings.length >= BATCH) {
      emit(findings);
      findings = [];
    }
    await breathe?.();
  }
  if (counters.stopped) throw stopped();
  emit(findings);
}

/** One thread's view of how far the job is. */
export function checkCounters({ counters, table }: CheckJob): JobCounters {
  return new JobCounters(counters, objectCount(table));
}

function stopped(): CfsError {
  return new CfsError('CANCELLED', 'The check was cancelled');
}

class ObjectChecker {
  readonly #job: CheckJob;
  readonly #counters: JobCounters;
  readonly #breathe: Breathe | undefined;
  readonly #verity: VerityHasher;
  readonly #hashes: StreamHash[] = [];

  constructor(job: CheckJob, counters: JobCounters, breathe: Breathe | undefined) {
    this.#job = job;
    this.#counters = counters;
    this.#breathe = breathe;
    this.#verity = new VerityHasher(job.table.algorithm);
  }

  async check(index: number): Promise<Finding[]> {
    const id = objectAt(this.#job.table, index);
    const found = (kind: ProblemKind, detail?: string): Finding[] => [{ index, kind, detail }];
    const file = `${this.#job.directory}/${objectPath(id)}`;
    let fd: number;
    try {
      if (!lstatSync(file).isFile()) return found('object-open-failed', 'not a regular file');
      fd = openSync(file, 'r');
    } catch (error) {
      // Removed in between by hand: nothing is wrong with it.
      return hasCode(error, 'ENOENT') ? [] : found('object-open-failed', (error as Error).message);
    }
    try {
      const measured = measureVerity(fd);
      if (this.#job.secure && typeof measured === 'string') return found('object-verity-missing');
      return await this.#read(fd, index, id, typeof measured === 'string' ? undefined : (measured.digest as ObjectId));
    } catch (error) {
      if (hasCode(error, 'CANCELLED')) throw error;
      return found('object-verity-failed', (error as Error).message);
    } finally {
      closeSync(fd);
    }
  }

  /** @param measured is what the kernel says, if it does. */
  async #read(fd: number, index: number, id: ObjectId, measured: ObjectId | undefined): Promise<Finding[]> {
    const mismatch = (digest: ObjectId): Finding[] => [
      { index, kind: 'object-digest-mismatch', detail: `measured ${digest}` },
    ];
    if (measured !== undefined && measured !== id) return mismatch(measured);
    const sums = this.#job.sums === undefined ? [] : [...sumsOf(this.#job.sums, index)];
    if (measured !== undefined && sums.length === 0) return [];
    const findings: Finding[] = [];
    for (let from = 0; from === 0 || from < sums.length; from += SUMS_AT_ONCE) {
      const some = sums.slice(from, from + SUMS_AT_ONCE);
      const hashes = this.#start(some);
      const verity = measured === undefined && from === 0 ? this.#verity : undefined;
      verity?.reset();
      for (const piece of readPieces(fd)) {
        verity?.update(piece);
        for (const hash of hashes) hash.update(piece);
        if (from === 0) this.#counters.addBytes(piece.length);
        if (this.#counters.stopped) throw stopped();
        await this.#breathe?.();
      }
      const digest = verity?.digest() ?? id;
      // What the sums are of is not the object then.
      if (digest !== id) return mismatch(digest);
      for (const [i, { position, sum }] of some.entries()) {
        const actual = toHex(hashes[i]!.digest());
        if (actual !== sum) findings.push({ index, position, actual });
      }
    }
    return findings;
  }

  #start(sums: readonly ContentSum[]): StreamHash[] {
    while (this.#hashes.length < sums.length) this.#hashes.push(sha256Stream());
    return sums.map(({ head }, i) => {
      const hash = this.#hashes[i]!;
      hash.reset();
      // Not where the threads' memory is: what hashes may take addresses of ordinary memory only.
      hash.update(Uint8Array.from(head));
      return hash;
    });
  }
}
