/** Entry of a worker that works on contents until no more come; see content-threads.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError, type SerializedError } from '../../bytes/errors.ts';
import { ContentFiles, type ContentTask } from './content-file.ts';
import { ContentRing, type RingMemory } from './content-ring.ts';

export interface WorkerInput {
  readonly task: ContentTask;
  readonly memory: RingMemory;
}

/** What a worker says if it fails: at which file, unless it is about none in particular. */
export interface WorkerFailure {
  readonly number: number | undefined;
  readonly error: SerializedError;
}

async function work({ task, memory }: WorkerInput): Promise<void> {
  const ring = new ContentRing(memory, task.algorithm);
  let number: number | undefined;
  try {
    using files = new ContentFiles(task, ring);
    for (let file = ring.takeOrWait(); file !== undefined; file = ring.takeOrWait()) {
      number = file.number;
      ring.finish(number, await files.process(file.fd, file.size));
    }
    number = undefined;
    if (!ring.stopped) files.flush();
  } catch (error) {
    const failure: WorkerFailure = { number, error: serializeError(error) };
    parentPort!.postMessage(failure);
    ring.stop();
  }
}

await work(workerData as WorkerInput);
