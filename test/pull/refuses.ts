/** What every refused pull has in common. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { Repository } from '../../src/repository/repository.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshRepository } from '../repository/support.ts';
import { assertClean, expected, pull, visible } from './support.ts';

let made: string | undefined;

/** The path of a repository with something in it that has to stay. */
export async function target(): Promise<string> {
  if (made !== undefined) return made;
  const path = freshRepository();
  await pull(path, goldenPath, 'golden/single');
  made = path;
  return path;
}

export interface Refusal {
  readonly commit: OstreeChecksum;
  readonly code: string | readonly string[];
  /** What the message has to name. */
  readonly names: string;
  /** In what the message has to be in the end. */
  readonly says?: RegExp;
  /** Try it with a worker too, whose error has to come over. */
  readonly workers?: boolean;
}

/** The pull must fail just so, soon, and leave nothing that can be seen. */
export async function refuses(from: string, { commit, code, names, says, workers = false }: Refusal): Promise<void> {
  const path = await target();
  using repository = await Repository.open(path);
  const seen = visible(repository);
  for (const threads of workers ? [1, 2] : [1]) {
    const start = performance.now();
    await assert.rejects(pull(path, from, commit, { threads }), (error: Error) => {
      assert(error instanceof CfsError, `not a CfsError: ${error.stack}`);
      assert([code].flat().includes(error.code), `${error.code}: ${error.message}`);
      assert(error.message.includes(names), `${error.message} does not name ${names}`);
      if (says !== undefined) assert.match(error.message, says);
      return true;
    });
    const seconds = (performance.now() - start) / 1000;
    // Other tests run at the same time; what is not refused soon takes minutes.
    assert(seconds < 15, `${seconds} seconds`);
    assert.deepEqual(visible(repository), seen);
    assert.equal((await pull(path, goldenPath, 'golden/single')).commit, expected.commits['single']);
    await assertClean(repository);
    for (const name of readdirSync(path)) assert.doesNotMatch(name, /^\.(cfs-tmp|symlink)-/);
  }
}
