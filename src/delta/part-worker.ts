/** Entry of a worker that makes parts of a delta, of one group after the other; see part-pool.ts. */
import { workerData } from 'node:worker_threads';
import { workOnEach } from '../threads.ts';
import { makeParts } from './make-parts.ts';
import type { PartJob, PartMessage, PartTask } from './part-job.ts';

/** Milliseconds between two reports. */
const INTERVAL = 100;

let reported = 0;

workOnEach((task: PartTask, emit: (message: PartMessage) => void) => {
  let progress = { objects: 0, bytes: 0 };
  const report = (): void => {
    emit({ kind: 'progress', ...progress });
    progress = { objects: 0, bytes: 0 };
    reported = performance.now();
  };
  const made = makeParts(workerData as PartJob, task, (objects, bytes) => {
    progress.objects += objects;
    progress.bytes += bytes;
    if (performance.now() - reported >= INTERVAL) report();
  });
  report();
  emit({ kind: 'made', group: task.group, made });
});
