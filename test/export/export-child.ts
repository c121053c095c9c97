/** Exports, from a process that can be killed: REPOSITORY COMMIT DESTINATION. */
import { exportTo } from './export-to.ts';

const [repository = '', commit = '', destination = ''] = process.argv.slice(2);
await exportTo(repository, commit, destination, { reference: commit, threads: 2 });
