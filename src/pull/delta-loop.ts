/** What each thread does for a static delta: take a part, read it, run it, until none is left. */
import { setImmediate } from 'node:timers/promises';
import { CfsError, UnsupportedError } from '../../bytes/errors.ts';
import { runPart } from '../../ostree/delta/interpreter.ts';
import { readPart, type OpenPayload, type PartServices, type PartSink } from '../../ostree/delta/part-file.ts';
import type { DeltaSource } from '../../ostree/delta/source.ts';
import { decodeSuperblock, type DeltaPart, type Superblock } from '../../ostree/delta/superblock.ts';
import type { Source } from '../../ostree/source.ts';
import type { CommitContent } from '../commit/content.ts';
import { ObjectWriter } from '../repository/object-writer.ts';
import { ResultCollector, type ResultBatch } from './content-job.ts';
import { DeltaCounters, partName, type DeltaJob, type WantedPart } from './delta-job.ts';
import { PartOutput } from './delta-output.ts';
import { deltaSources } from './delta-sources.ts';
import { FileIngest } from './file-ingest.ts';
import { measureSpace } from './space.ts';
import type { Breathe } from '../threads.ts';
import { openDecompressor } from './xz.ts';

/** Bytes of an inline part that are unpacked at a time. */
const PIECE_SIZE = 64 * 1024;
/** Milliseconds between looks at whether another thread stopped the job. */
const LOOK = 50;
/** The same while the next part comes, which wants to be taken from the network and to be unpacked. */
const LOOK_AHEAD = 4;

export interface DeltaLoopOptions {
  /** Read the next part while one is run: for a thread that has no others beside it to take that part. */
  readonly ahead?: boolean;
  /** The commit that the delta starts from, if it is in memory already. */
  readonly from?: CommitContent | undefined;
  /** Awaited between pieces of work, for a thread that has other things to do. */
  readonly breathe?: Breathe;
}

/** A part that is on its way. */
interface Reading {
  readonly wanted: WantedPart;
  readonly part: DeltaPart;
  readonly payload: Promise<OpenPayload>;
}

/**
 * Works on the job until no part is left, or it is stopped. Results are told by the object's place in the job.
 * @throws the first error of a part; the job is stopped then. Objects that were finished before are told all the same.
 */
export async function runDeltaLoop(
  job: DeltaJob,
  source: Source,
  emit: (batch: ResultBatch) => void,
  { ahead = false, from, breathe }: DeltaLoopOptions = {},
): Promise<void> {
  const counters = new DeltaCounters(job);
  const results = new ResultCollector(emit);
  const stopping = new AbortController();
  const stop = (): void => {
    if (counters.stopped) stopping.abort(new CfsError('CANCELLED', 'The pull was stopped'));
  };
  const timer = setInterval(stop, LOOK);
  try {
    using writer = new ObjectWriter(job.writer);
    const superblock = decodeSuperblock(job.superblock);
    const ingest = new FileIngest(writer, job.writer.algorithm, (bytes) => counters.addBytes(bytes));
    let looked = performance.now();
    let next: Reading | undefined;
    const pause = (): Promise<void> | undefined => {
      const now = performance.now();
      const isComing = next !== undefined;
      if (now - looked < (isComing ? LOOK_AHEAD : LOOK)) return undefined;
      looked = now;
      stop();
      stopping.signal.throwIfAborted();
      return isComing ? setImmediate() : breathe?.();
    };
    const services = { ...partServices(job, writer), pause };
    const open = deltaSources(job.store, superblock.from, from);
    const read = (): Reading | undefined => {
      const wanted = counters.next();
      if (wanted === undefined) return undefined;
      const part = superblock.parts[wanted.index]!;
      const stream = (sink: PartSink) => streamPart(deltasOf(source), superblock, part, sink, stopping.signal);
      const payload = readPart(part, partName(superblock, part), stream, services);
      // It is waited for later.
      payload.catch(() => undefined);
      return { wanted, part, payload };
    };
    next = read();
    try {
      while (next !== undefined) {
        const { wanted, part, payload } = next;
        next = ahead ? read() : undefined;
        using opened = await payload;
        const { held, first } = wanted;
        const output = new PartOutput(ingest, job.space, held, (index, object) => results.add(first + index, object));
        for (const _ of runPart(opened.payload, part.objects, output, open)) {
          const paused = pause();
          if (paused !== undefined) await paused;
        }
        counters.addDone();
        if (!ahead) next = read();
      }
    } catch (error) {
      ingest.abort();
      stopping.abort(error);
      await forget(next);
      throw error;
    }
  } catch (error) {
    counters.stop();
    throw error;
  } finally {
    clearInterval(timer);
    results.flush();
  }
}

/** Waits for a part that is not to be run, whose payload may lie in a file. */
async function forget(reading: Reading | undefined): Promise<void> {
  try {
    using _ = await reading?.payload;
  } catch {
    // The error of another part is told.
  }
}

/** @throws UnsupportedError for a source without any. */
export function deltasOf({ deltas, location }: Pick<Source, 'deltas' | 'location'>): DeltaSource {
  if (deltas === undefined) throw new UnsupportedError(`${location} offers no static deltas`);
  return deltas;
}

/** Gives the bytes of a part to `sink`, from the superblock if they lie in it. */
export async function streamPart(
  deltas: DeltaSource,
  superblock: Superblock,
  part: DeltaPart,
  sink: PartSink,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { inline } = part;
  if (inline === undefined) return deltas.streamPart(superblock, part.index, part.size, sink, signal);
  sink.restart();
  for (let at = 0; at < inline.length; at += PIECE_SIZE) await sink.write(inline.subarray(at, at + PIECE_SIZE));
}

function partServices({ space, store }: DeltaJob, writer: ObjectWriter): PartServices {
  return {
    decompressor: openDecompressor,
    temporary: {
      open: () => ({ fd: writer.begin(), path: `a temporary file in ${store.path}` }),
      close: ({ fd }) => writer.abort(fd),
    },
    room: () => {
      const { free, reserve } = measureSpace(space.path, { bytes: space.reserve });
      return Math.max(0, free - reserve);
    },
  };
}
