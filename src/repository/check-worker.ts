/** Entry of a worker that hashes objects; see check-threads.ts. */
import { workOnce } from '../threads.ts';
import { runCheckLoop, type CheckJob } from './check-job.ts';

workOnce((job: CheckJob, emit) => runCheckLoop(job, emit));
