/** Which static delta a pull uses, if any: of those that start from a stored commit, or from nothing, the one with the fewest bytes to fetch. */
import { CfsError, ChecksumError, NotFoundError, UnsupportedError } from '../../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { deltaName } from '../../ostree/delta/format.ts';
import type { DeltaSource, KnownDelta } from '../../ostree/delta/source.ts';
import { decodeSuperblock, type Superblock } from '../../ostree/delta/superblock.ts';
import { decodeSizes } from '../../ostree/sizes.ts';
import type { Source } from '../../ostree/source.ts';
import { commitOfRef, newestCommits, type StoredCommit } from '../commit/stored.ts';
import type { Repository } from '../repository/repository.ts';
import type { Bases } from './bases.ts';
import type { PullOptions } from './pull.ts';

/** `allowed`: if there is one that pays. `required`: an error if there is none, or it fails. */
export type DeltaPolicy = 'never' | 'allowed' | 'required';

export interface ChosenDelta {
  readonly superblock: Superblock;
  /** The file that it was decoded from. */
  readonly bytes: Uint8Array;
  /** Bytes of parts and fallback objects that have to be fetched yet. */
  readonly fetch: number;
  readonly policy: DeltaPolicy;
}

/** Superblocks that are fetched to compare them. */
const MAX_CANDIDATES = 3;
/** What a request costs besides its answer, in bytes. */
const REQUEST = 512;

interface Task {
  readonly repository: Repository;
  readonly source: Source;
  readonly ref: string | undefined;
  readonly options: PullOptions;
}

/**
 * The delta to use for a commit; undefined for none.
 * @param self what is stored of the commit already.
 * @throws what the source throws, if one is required; CfsError NOT_FOUND if there is none then.
 */
export async function chooseDelta(
  task: Task,
  to: OstreeChecksum,
  bases: Bases,
  self: StoredCommit | undefined,
): Promise<ChosenDelta | undefined> {
  const { source, ref, options } = task;
  // What reference repositories have is only known object by object.
  const isWorthwhile = source.concurrency > 1 && (options.references ?? []).length === 0;
  const policy = options.deltas ?? (isWorthwhile ? 'allowed' : 'never');
  const isPart = options.commitMetadataOnly === true || (options.subpaths ?? []).length > 0;
  if (policy === 'never' || self?.content.partial === false || isPart) return undefined;
  const { deltas, location } = source;
  if (deltas === undefined) {
    if (policy === 'allowed') return undefined;
    throw new UnsupportedError(`${location} offers no static deltas, which are required`);
  }
  try {
    const best = await findBest(task, deltas, to, bases, policy);
    if (best !== undefined || policy === 'allowed') return best;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (policy === 'required' || !(error instanceof CfsError) || error.code === 'CANCELLED') throw error;
    options.onNote?.(`No static delta is used: ${error.message}; fetching objects instead`);
    return undefined;
  }
  throw new NotFoundError(`Static deltas required, but none found for ${ref ?? to} to ${to}`, { commit: to });
}

async function findBest(
  task: Task,
  deltas: DeltaSource,
  to: OstreeChecksum,
  bases: Bases,
  policy: DeltaPolicy,
): Promise<ChosenDelta | undefined> {
  const { signal } = task.options;
  const listed = await deltas.listDeltas(to, signal);
  const candidates = listed === undefined ? blindly(task, to, bases) : fromStored(task, listed, bases, policy);
  if (policy === 'required' && candidates.length === 0) throwUnlessNone(task, listed ?? []);
  let best: ChosenDelta | undefined;
  for (const known of candidates.slice(0, MAX_CANDIDATES)) {
    // From nothing is for when no commit that is stored will do.
    if (known.from === undefined && best !== undefined) break;
    const bytes = await deltas.readSuperblock(known, signal);
    if (bytes === undefined) continue;
    verifySuperblock(known, bytes);
    const superblock = decodeSuperblock(bytes, known);
    const fetch = bytesToFetch(superblock, bases);
    if (best === undefined || fetch < best.fetch) best = { superblock, bytes, fetch, policy };
  }
  if (best === undefined || policy === 'required') return best;
  const objects = objectsToFetch(best.superblock, bases);
  return objects === undefined || best.fetch <= objects ? best : undefined;
}

/** Of the listed deltas those whose FROM is stored and whole, the ref's own first, then the newest; then from nothing. */
function fromStored(
  { repository, ref }: Task,
  listed: readonly KnownDelta[],
  bases: Bases,
  policy: DeltaPolicy,
): KnownDelta[] {
  const current = ref === undefined ? undefined : commitOfRef(repository, ref);
  const byFrom = new Map(listed.map((delta) => [delta.from, delta]));
  const stored: KnownDelta[] = [];
  for (const from of new Set([current, ...newestCommits(repository, Infinity)])) {
    // Commits that are looked at stay in memory, so no more are than needed.
    if (stored.length >= MAX_CANDIDATES) break;
    const delta = from === undefined ? undefined : byFrom.get(from);
    if (delta !== undefined && isWhole(bases, from)) stored.push(delta);
  }
  const isFirst = current === undefined || policy === 'required';
  const fromNothing = byFrom.get(undefined);
  return fromNothing !== undefined && (isFirst || stored.length > 0) ? [...stored, fromNothing] : stored;
}

/** True for a commit that is stored, and not only in part. */
function isWhole(bases: Bases, commit: OstreeChecksum | undefined): boolean {
  return commit !== undefined && bases.find(commit)?.content.partial === false;
}

/** What may be there, if the source does not tell. */
function blindly({ repository, ref, options }: Task, to: OstreeChecksum, bases: Bases): KnownDelta[] {
  const current = ref === undefined ? undefined : commitOfRef(repository, ref);
  const known = [current, options.base === undefined ? undefined : commitOfRef(repository, options.base)];
  const stored = known.filter((from) => isWhole(bases, from));
  const pairs = stored.length > 0 ? [...new Set(stored)] : [undefined];
  return pairs.map((from) => ({ from, to, superblock: undefined }));
}

/** @throws NotFoundError if there are deltas, but none from a commit that is stored. */
function throwUnlessNone({ repository }: Task, [first]: readonly KnownDelta[]): void {
  if (first?.from === undefined) return;
  const name = deltaName(first.from, first.to);
  const facts = { commit: first.from, delta: name };
  throw new NotFoundError(
    `Commit ${first.from}, which static delta ${name} is from, is not in ${repository.path}`,
    facts,
  );
}

function verifySuperblock({ from, to, superblock }: KnownDelta, bytes: Uint8Array): void {
  if (superblock === undefined) return;
  const actual = checksumOf(bytes);
  if (actual !== superblock) {
    throw new ChecksumError(`superblock of static delta ${deltaName(from, to)}`, superblock, actual);
  }
}

function bytesToFetch({ parts, fallbacks }: Superblock, bases: Bases): number {
  let bytes = 0;
  for (const { inline, objects, size } of parts) {
    if (inline !== undefined) continue;
    for (const { checksum } of objects) {
      if (bases.get(checksum) !== undefined) continue;
      bytes += size + REQUEST;
      break;
    }
  }
  for (const { checksum, size } of fallbacks) if (bases.get(checksum) === undefined) bytes += size + REQUEST;
  return bytes;
}

/** The same for objects, where the commit tells their sizes. */
function objectsToFetch({ commit, to }: Superblock, bases: Bases): number | undefined {
  const sizes = decodeSizes(decodeCommit(commit, to).metadata);
  if (sizes === undefined) return undefined;
  let bytes = 0;
  for (const [checksum, { archived }] of sizes) if (bases.get(checksum) === undefined) bytes += archived + REQUEST;
  return bytes;
}
