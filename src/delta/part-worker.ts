/** Entry of a worker that makes parts of a delta: one group after the other, until it is told to end; see part-pool.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../bytes/errors.ts';
import { makeParts } from './make-parts.ts';
import type { PartJob, PartMessage, PartTask } from './part-job.ts';

/** Milliseconds between two reports. */
const INTERVAL = 100;

const post = (message: PartMessage): void => parentPort!.postMessage(message);
const job = workerData as PartJob;
let progress = { objects: 0, bytes: 0 };
let reported = 0;

function report(): void {
  post({ kind: 'progress', ...progress });
  progress = { objects: 0, bytes: 0 };
  reported = performance.now();
}

parentPort!.on('message', (task: PartTask) => {
  try {
    const made = makeParts(job, task, (objects, bytes) => {
      progress.objects += objects;
      progress.bytes += bytes;
      if (performance.now() - reported >= INTERVAL) report();
    });
    report();
    post({ kind: 'made', group: task.group, made });
  } catch (error) {
    post({ kind: 'error', error: serializeError(error) });
  }
});
