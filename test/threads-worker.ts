/** A worker that does what its tasks say. */
import { workerData } from 'node:worker_threads';
import { workOnEach } from '../src/threads.ts';

export type Task = { readonly add: number } | 'fail' | 'exit' | 'hang';

workOnEach((task: Task, emit: (sum: number) => void) => {
  if (task === 'fail') throw new RangeError('a task that fails');
  // oxlint-disable-next-line unicorn/no-process-exit
  if (task === 'exit') process.exit(7);
  if (task === 'hang') for (;;);
  emit((workerData as number) + task.add);
  emit(0);
});
