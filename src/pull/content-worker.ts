/** Entry of a content worker: `workerData` is the job; see content-pool.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../bytes/errors.ts';
import type { ContentJob, WorkerMessage } from './content-job.ts';
import { runContentLoop } from './content-loop.ts';
import { reopenSource } from './source.ts';

const job = workerData as ContentJob;
const post = (message: WorkerMessage): void => parentPort!.postMessage(message);

try {
  using source = reopenSource(job.source);
  await runContentLoop(job, source, (batch) => post({ kind: 'results', batch }));
} catch (error) {
  post({ kind: 'error', error: serializeError(error) });
}
