/** Entry of a worker for static deltas; see delta-threads.ts. */
import { workOnce } from '../threads.ts';
import type { DeltaJob } from './delta-job.ts';
import { runDeltaLoop } from './delta-loop.ts';
import { reopenSource } from './source.ts';

workOnce(async (job: DeltaJob, emit) => {
  using source = await reopenSource(job.source);
  await runDeltaLoop(job, source, emit);
});
