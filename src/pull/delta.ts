/**
 * A static delta in a pull: run before the metadata graph is read. What it makes is verified object by object and becomes a reader in
 * front of the source, so that whatever it lacks, or failed to make, is fetched as any object.
 */
import { CfsError } from '../../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import type { ListedObject } from '../../ostree/delta/listed-objects.ts';
import type { DeltaPart } from '../../ostree/delta/superblock.ts';
import type { Source } from '../../ostree/source.ts';
import { counterMemory } from '../job-counters.ts';
import type { ObjectWriter } from '../repository/object-writer.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import { isHeld, type Bases } from './bases.ts';
import type { ChosenDelta } from './delta-choice.ts';
import type { DeltaJob, WantedPart } from './delta-job.ts';
import { runDelta } from './delta-threads.ts';
import type { IngestedFile } from './file-ingest.ts';
import type { PullOptions } from './pull.ts';
import { assertSpace, DEFAULT_RESERVE, explainFull, measureSpace, spaceBudget } from './space.ts';

/** What a delta did. */
export interface DeltaUse {
  /** `FROM-TO`, or `TO` for a delta from nothing. */
  readonly name: string;
  /** Parts that were run, those in the superblock included. */
  readonly parts: number;
  /** Metadata objects that it gave, the commit included. */
  readonly metadata: number;
  /** Files that it made. */
  readonly files: readonly IngestedFile[];
}

interface Task {
  readonly repository: Repository;
  readonly source: Source;
  readonly options: PullOptions;
}

interface Wanted {
  readonly parts: readonly WantedPart[];
  /** The objects of all wanted parts, in order. */
  readonly objects: readonly ListedObject[];
}

/**
 * Runs the parts of a delta that make something that is not there.
 * @throws what fails, if the delta is required; else a note says so.
 */
export async function applyDelta(
  { repository, source, options }: Task,
  transaction: Transaction,
  bases: Bases,
  { superblock, bytes, policy }: ChosenDelta,
): Promise<DeltaUse> {
  const { path } = repository;
  const { parts, objects } = wantedParts(superblock.parts, bases, transaction.writer);
  const made = new Map<OstreeChecksum, IngestedFile>();
  const files: IngestedFile[] = [];
  const onObject = (index: number, object: IngestedFile): void => {
    const { type, checksum } = objects[index]!;
    made.set(checksum, object);
    if (type === 'file') files.push(object);
    bases.enter(checksum, object);
  };
  const from = superblock.from === undefined ? undefined : bases.find(superblock.from)?.content;
  let run = 0;
  try {
    const unpackedSize = parts.reduce((sum, part) => sum + part.unpackedSize, 0);
    const space = measureSpace(path, options.minFreeSpace ?? DEFAULT_RESERVE);
    assertSpace(path, `static delta ${superblock.name}`, unpackedSize, space);
    const job: DeltaJob = {
      source: source.describe(),
      writer: transaction.writerOptions,
      store: { path, algorithm: repository.algorithm, secure: repository.secure },
      space: spaceBudget(path, space),
      superblock: bytes,
      parts,
      counters: counterMemory(),
    };
    const { threads, signal, onProgress } = options;
    const how = { threads, signal, onProgress, onObject, unpackedSize, from };
    if (parts.length > 0) await runDelta(job, source, how);
    run = parts.length;
  } catch (error) {
    options.signal?.throwIfAborted();
    const explained = explainFull(error, path, undefined);
    if (policy === 'required' || !(explained instanceof CfsError)) throw explained;
    options.onNote?.(`Static delta ${superblock.name} failed: ${explained.message}; fetching objects instead`);
  }
  bases.addObjects(made);
  return { name: superblock.name, parts: run, metadata: 1 + made.size - files.length, files };
}

/** The parts that make something that is not there, and what they need not make: the smallest first, as the next is read while one is run. */
function wantedParts(parts: readonly DeltaPart[], bases: Bases, writer: ObjectWriter): Wanted {
  const wanted: WantedPart[] = [];
  const objects: ListedObject[] = [];
  for (const part of parts.toSorted((a, b) => a.size - b.size)) {
    const listed = Array.from(part.objects);
    const held = Uint8Array.from(listed, (object) => Number(isThere(object, bases, writer)));
    if (!held.includes(0)) continue;
    wanted.push({ index: part.index, held, unpackedSize: part.unpackedSize, first: objects.length });
    for (const object of listed) objects.push(object);
  }
  return { parts: wanted, objects };
}

function isThere({ type, checksum }: ListedObject, bases: Bases, writer: ObjectWriter): boolean {
  const known = bases.get(checksum);
  if (known === undefined) return false;
  return type === 'file' ? isHeld(checksum, known, writer) : checksumOf(known.data) === checksum;
}
