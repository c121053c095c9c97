/** A golden commit in a repository of its own, and copies of that to damage. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { encodeCommitStream, streamName } from '../../src/commit/commit-stream.ts';
import type { StoredObject } from '../../src/commit/content.ts';
import { readCommit, type StoredCommit } from '../../src/commit/stored.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { expected, pull } from './support.ts';

export const os = 'golden/x86_64/os';
export const commit = expected.commits['3']!;
export const pristine = freshRepository();
export const good = await pull(pristine, goldenPath, os);
export const stored = await readStored();

async function readStored(): Promise<StoredCommit> {
  using repository = await Repository.open(pristine);
  return readCommit(repository, commit);
}

/** The objects of large files. */
export const externals: readonly ObjectId[] = [
  ...new Set([...stored.content.entries()].flatMap(([, { object }]) => object ?? [])),
];

export function copyPristine(): string {
  const path = freshPath();
  cpSync(pristine, path, { recursive: true, verbatimSymlinks: true });
  return path;
}

/** Changes one bit of a file: in the middle, unless said otherwise. */
export function flip(file: string, at?: number): void {
  const bytes = readFileSync(file);
  bytes[at ?? bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
}

/** Puts another commit stream into the place of the one there is. */
export async function restream(
  path: string,
  images: readonly { readonly id: ObjectId }[],
  change: (objects: Map<string, StoredObject>) => void = () => {},
): Promise<void> {
  using repository = await Repository.open(path);
  const objects = new Map(stored.content.entries());
  change(objects);
  using transaction = await repository.begin();
  const bytes = await encodeCommitStream('sha256', commit, objects)(images);
  transaction.linkStream(streamName(commit), transaction.storeBytes(bytes));
  await transaction.commit();
}
