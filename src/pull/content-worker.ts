/** Entry of a content worker: waits for its one job, does it, and ends; see content-pool.ts. */
import { parentPort } from 'node:worker_threads';
import { serializeError } from '../../bytes/errors.ts';
import type { WorkerMessage, WorkerTask } from './content-job.ts';
import { runContentLoop } from './content-loop.ts';
import { reopenContentSource } from './source.ts';

const post = (message: WorkerMessage): void => parentPort!.postMessage(message);

async function work({ job, lanes, threads }: WorkerTask): Promise<void> {
  try {
    using source = await reopenContentSource(job.source);
    source.divide?.(threads);
    await runContentLoop(job, source, (batch) => post({ kind: 'results', batch }), { lanes });
    post({ kind: 'end' });
  } catch (error) {
    post({ kind: 'error', error: serializeError(error) });
  } finally {
    parentPort!.close();
  }
}

parentPort!.once('message', (task: WorkerTask) => void work(task));
