/**
 * A pull in a process of its own, for tests that kill it or measure it: REPOSITORY PATH|URL NAME [THREADS]. Prints one line of JSON: the result
 * or the error, and the greatest resident set in KiB.
 */
import { readFileSync } from 'node:fs';
import { CfsError } from '../../bytes/errors.ts';
import { openHttpSource } from '../../ostree/http/source.ts';
import { pullCommit } from '../../src/pull/pull.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { Repository } from '../../src/repository/repository.ts';

const [path, from, name, threads = '1'] = process.argv.slice(2) as [string, string, string, string?];

async function run(): Promise<unknown> {
  try {
    using repository = await Repository.open(path);
    using source = from.startsWith('http:') ? openHttpSource(from) : openLocalSource(from);
    return { result: await pullCommit(repository, source, name, { threads: Number(threads) }) };
  } catch (error) {
    return error instanceof CfsError ? { code: error.code, message: error.message } : { message: String(error) };
  }
}

const outcome = await run();
const peak = Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
console.log(JSON.stringify({ outcome, peak }));
