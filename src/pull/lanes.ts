/**
 * Files of a source that waits: several are on their way at the same time, each in a lane of its own, and one at a time is
 * ingested.
 */
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { FileObject } from '../../ostree/source.ts';
import type { ContentCounters } from './content-job.ts';
import type { ContentSource } from './source.ts';

type NextFile = NonNullable<ReturnType<ContentCounters['next']>>;

/** Milliseconds between looks at whether another thread stopped the job. */
const LOOK = 100;

/**
 * Opens files of the job and gives them to `ingest` until none is left, or the job is stopped.
 * @param ingest closes the file, also if it fails.
 * @param leavesOut says which errors mean that the job goes on without the file.
 * @throws the first error of a file, or CfsError CANCELLED for what was on its way when the job was stopped.
 */
export async function runLanes(
  lanes: number,
  counters: ContentCounters,
  source: ContentSource,
  ingest: (next: NextFile, file: FileObject) => Promise<void>,
  leavesOut: (error: unknown) => boolean = () => false,
): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => {
    if (counters.stopped) controller.abort(new CfsError('CANCELLED', 'The pull was stopped'));
  };
  const errors: unknown[] = [];
  let last: Promise<void> = Promise.resolve();
  /** Tries further copies after bad ones, and tells of the first if none is good. */
  const ingestSome = async (next: NextFile, file: FileObject): Promise<void> => {
    try {
      await ingest(next, file);
    } catch (error) {
      if (file.again === undefined || !hasCode(error, 'CHECKSUM', 'FORMAT')) throw error;
      const other = await file.again(controller.signal).catch(() => undefined);
      if (other === undefined) throw error;
      await ingestSome(next, other);
    }
  };
  const run = async (): Promise<void> => {
    try {
      for (let next = counters.next(); next !== undefined; next = counters.next()) {
        const taken = next;
        try {
          const file = await source.openFile(taken.checksum, controller.signal);
          const mine = last.then(() => ingestSome(taken, file));
          last = mine.catch(() => undefined);
          await mine;
        } catch (error) {
          if (!leavesOut(error)) throw error;
        }
      }
    } catch (error) {
      errors.push(error);
      counters.stop();
      stop();
    }
  };
  const timer = setInterval(stop, LOOK);
  try {
    await Promise.all(Array.from({ length: lanes }, run));
  } finally {
    clearInterval(timer);
  }
  if (errors.length > 0) throw errors[0];
}
