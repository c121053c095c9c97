/** A process for tests to kill: fills the digest store at its second argument from the directory at its first. */
import { digestStoreTask } from '../../src/directory/digest-store.ts';
import { readDirectory } from '../../src/directory/read.ts';

const [, , path = '', store = ''] = process.argv;
const content = { ...digestStoreTask(store), batch: 16 };
process.stdout.write('begun\n');
await readDirectory(path, { content, threads: 2, hardLinks: false });
