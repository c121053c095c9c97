/** Entry of a content worker; see content-pool.ts. */
import { workOnce } from '../threads.ts';
import type { WorkerTask } from './content-job.ts';
import { runContentLoop } from './content-loop.ts';
import { reopenContentSource } from './source.ts';

workOnce(async ({ job, lanes, threads }: WorkerTask, emit) => {
  using source = await reopenContentSource(job.source);
  source.divide?.(threads);
  await runContentLoop(job, source, emit, { lanes });
});
