/** A process for tests to kill or to run as another user: reads the directory at its first argument, into a digest store if there is a second. */
import { digestStoreTask } from '../../src/directory/digest-store.ts';
import { readDirectory } from '../../src/directory/read.ts';

const [, , path = '', store] = process.argv;
process.stdout.write('begun\n');
try {
  const content = { ...digestStoreTask(store), batch: store === undefined ? 0 : 16 };
  await readDirectory(path, { content, threads: 2, hardLinks: false });
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
}
