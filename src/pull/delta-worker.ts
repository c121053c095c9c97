/** Entry of a worker for static deltas: waits for its one job, does it, and ends; see delta-threads.ts. */
import { parentPort } from 'node:worker_threads';
import { serializeError } from '../../bytes/errors.ts';
import type { WorkerMessage } from './content-job.ts';
import type { DeltaJob } from './delta-job.ts';
import { runDeltaLoop } from './delta-loop.ts';
import { reopenSource } from './source.ts';

const post = (message: WorkerMessage): void => parentPort!.postMessage(message);

async function work(job: DeltaJob): Promise<void> {
  try {
    using source = await reopenSource(job.source);
    await runDeltaLoop(job, source, (batch) => post({ kind: 'results', batch }));
    post({ kind: 'end' });
  } catch (error) {
    post({ kind: 'error', error: serializeError(error) });
  } finally {
    parentPort!.close();
  }
}

parentPort!.once('message', (job: DeltaJob) => void work(job));
