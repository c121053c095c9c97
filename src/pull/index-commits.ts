/** The object index of a pull that fetches over a network: opened, with the commits that other ways stored entered. */
import { setImmediate } from 'node:timers/promises';
import { CfsError } from '../../bytes/errors.ts';
import { commitOfStream, readCommitStream } from '../commit/commit-stream.ts';
import type { OnProgress } from '../progress.ts';
import { ObjectIndex } from '../repository/object-index.ts';
import type { Repository } from '../repository/repository.ts';
import { linkTime, listStreams, readStreamObject } from '../repository/streams.ts';

/** Milliseconds of entering commits after which a pull begins; the others are entered by the next. */
const MAX_TIME = 10_000;

interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

/** @returns undefined, with a note, where there can be no index. */
export async function openIndex(repository: Repository, options: OpenOptions): Promise<ObjectIndex | undefined> {
  const index = await ObjectIndex.open(repository, options.onNote);
  try {
    if (index !== undefined) await enterCommits(index, repository, options);
    return index;
  } catch (error) {
    index?.close();
    throw error;
  }
}

/** Enters the commits that the index does not know, the newest first. A damaged one is left out. */
async function enterCommits(index: ObjectIndex, repository: Repository, options: OpenOptions): Promise<void> {
  const known = index.holders();
  const streams = listStreams(repository).filter(
    ({ name, id }) => !known.has(id) && commitOfStream(name) !== undefined,
  );
  const times = new Map(streams.map(({ name }) => [name, linkTime(repository, name)]));
  streams.sort((a, b) => times.get(b.name)! - times.get(a.name)!);
  const end = performance.now() + MAX_TIME;
  for (const [done, { name, id }] of streams.entries()) {
    options.onProgress?.({ phase: 'index', done, total: streams.length });
    await setImmediate();
    options.signal?.throwIfAborted();
    if (performance.now() > end) {
      const left = streams.length - done;
      options.onNote?.(
        `${left} stored commits are not indexed yet, and not searched for objects; the next pull goes on`,
      );
      return;
    }
    try {
      index.hold(id, readCommitStream(readStreamObject(repository, id), commitOfStream(name)!).content);
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      options.onNote?.(`The stored commit ${commitOfStream(name)} cannot be searched for objects: ${error.message}`);
    }
  }
}
