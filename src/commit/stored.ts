/** Commits that a repository holds: finding them by ref or id, and reading their streams. */
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import { isChecksum, type OstreeChecksum } from '../../ostree/checksum.ts';
import { escapeRef, unescapeRef } from '../repository/layout.ts';
import { readObject, type ObjectStore } from '../repository/objects.ts';
import { listRefs, readRef, removeRef } from '../repository/refs.ts';
import type { Repository } from '../repository/repository.ts';
import { findStream, linkTime, listStreams } from '../repository/streams.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { commitOfStream, decodeCommitStream, streamName, type CommitStream } from './commit-stream.ts';
import { readCommitGraph, type CommitGraph, type ReadMetadata } from './graph.ts';

const REF_DIRECTORY = 'ostree';
const HISTORY_DIRECTORY = 'ostree-history';

/** The repository ref for an OSTree ref, relative to `streams/refs/`. */
export function commitRef(name: string): string {
  return `${REF_DIRECTORY}/${escapeRef(name)}`;
}

/** The ref that keeps a commit as part of the history of another ref: it is a parent that was pulled too. */
export function historyRef(name: string, commit: OstreeChecksum): string {
  return `${historyDirectory(name)}/${commit}`;
}

function historyDirectory(name: string): string {
  return `${HISTORY_DIRECTORY}/${escapeRef(name)}`;
}

export interface NamedCommit {
  readonly name: string;
  readonly commit: OstreeChecksum;
}

/** The named commits, by name. Refs below `ostree/` to anything else are left out. */
export function listCommits(store: ObjectStore): NamedCommit[] {
  return listRefs(store, 'streams', REF_DIRECTORY).flatMap(({ ref, target }) => {
    const commit = commitOfStream(target);
    return commit === undefined ? [] : [{ name: unescapeRef(ref), commit }];
  });
}

/** The commit that a ref points to. */
export function commitOfRef(store: ObjectStore, name: string): OstreeChecksum | undefined {
  const target = readRef(store, 'streams', commitRef(name));
  return target === undefined ? undefined : commitOfStream(target);
}

/**
 * The stored commit that `text` means: a ref, or the beginning of a commit id that no other stored commit shares.
 * @throws NotFoundError; CfsError USAGE for the beginning of several ids.
 */
export function resolveCommit(store: ObjectStore, text: string): OstreeChecksum {
  const byRef = text === '' ? undefined : commitOfRef(store, text);
  if (byRef !== undefined) return byRef;
  const candidates = /^[0-9a-f]{1,64}$/.test(text)
    ? listStreams(store).flatMap(({ name }) => commitOfStream(name) ?? [])
    : [];
  const matches = candidates.filter((commit) => commit.startsWith(text));
  if (matches.length > 1) {
    throw new CfsError('USAGE', `'${text}' is ambiguous: ${matches.length} stored commits begin with it`, {
      name: text,
    });
  }
  if (matches[0] !== undefined) return matches[0];
  throw new NotFoundError(
    `'${text}' is not a known ostree ref or valid commit ID in ${store.path}; 'cfs ostree images' lists the refs`,
    { name: text },
  );
}

/** The commits that were stored last, at most so many, the newest first. */
export function newestCommits(store: ObjectStore, most: number): OstreeChecksum[] {
  const commits = listStreams(store).flatMap(({ name }) => {
    const commit = commitOfStream(name);
    return commit === undefined ? [] : [{ commit, linked: linkTime(store, name) }];
  });
  return commits
    .sort((a, b) => b.linked - a.linked)
    .slice(0, most)
    .map(({ commit }) => commit);
}

/** A commit stream and the object it is. */
export interface StoredCommit extends CommitStream {
  readonly checksum: OstreeChecksum;
  readonly stream: ObjectId;
}

/**
 * Reads a commit stream, its bytes verified against the stream's digest.
 * @returns undefined if the commit is not stored.
 */
export function findCommit(store: ObjectStore, checksum: OstreeChecksum): StoredCommit | undefined {
  const stream = findStream(store, streamName(checksum));
  if (stream === undefined) return undefined;
  const decoded = decodeCommitStream(readObject(store, stream), store.algorithm, checksum);
  return { ...decoded, checksum, stream };
}

/** @throws NotFoundError if the commit is not stored. */
export function readCommit(store: ObjectStore, checksum: OstreeChecksum): StoredCommit {
  const found = findCommit(store, checksum);
  if (found === undefined)
    throw new NotFoundError(`Commit ${checksum} is missing in ${store.path}`, { object: checksum });
  return found;
}

/** The verified metadata graph of a stored commit; of a partial one, what is there of it. */
export function storedGraph({ checksum, content }: Pick<StoredCommit, 'checksum' | 'content'>): Promise<CommitGraph> {
  const read: ReadMetadata = (type, name) => {
    const stored = content.get(name);
    if (stored !== undefined) return stored.data;
    throw new CfsError('CORRUPT', `The stored commit ${checksum} lacks its ${type} object ${name}`, { object: name });
  };
  if (!content.partial) return readCommitGraph(checksum, read);
  return readCommitGraph(checksum, read, { selection: undefined, has: (name) => content.get(name) !== undefined });
}

/** The commit that a full id or a ref names, if it is stored: for bases, which may be missing. */
export function findBase(store: ObjectStore, text: string): OstreeChecksum | undefined {
  return commitOfRef(store, text) ?? (isChecksum(text) ? text : undefined);
}

/** Points the ref `name` to the stored commit that `text` means. */
export async function tagCommit(repository: Repository, text: string, name: string): Promise<OstreeChecksum> {
  using transaction = await repository.begin();
  const commit = resolveCommit(repository, text);
  transaction.linkRef('streams', commitRef(name), streamName(commit));
  await transaction.commit();
  return commit;
}

/** Removes a ref to a commit, and what keeps its history. @throws NotFoundError */
export function untagCommit(repository: Repository, name: string): void {
  repository.assertWritable();
  if (readRef(repository, 'streams', commitRef(name)) === undefined) {
    throw new NotFoundError(`There is no commit named '${name}' in ${repository.path}`, { name });
  }
  removeRef(repository, 'streams', commitRef(name));
  const history = historyDirectory(name);
  for (const { ref } of listRefs(repository, 'streams', history)) removeRef(repository, 'streams', `${history}/${ref}`);
}
