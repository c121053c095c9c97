/** The static deltas of a place that a user names: a repository on disk, a URL, or one delta in files. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NotFoundError } from '../../bytes/errors.ts';
import { isChecksum } from '../../ostree/checksum.ts';
import { DeltaFileSource } from '../../ostree/delta/file-source.ts';
import { deltaName } from '../../ostree/delta/format.ts';
import type { DeltaSource, KnownDelta } from '../../ostree/delta/source.ts';
import { decodeSuperblock, type DeltaPair, type Superblock } from '../../ostree/delta/superblock.ts';
import type { HttpSource } from '../../ostree/http/source.ts';
import { listDeltaFolder } from '../../ostree/local/deltas.ts';
import type { Source } from '../../ostree/source.ts';
import { deltasOf } from './delta-loop.ts';
import { openLocalSource } from './source.ts';

export interface DeltaPlace extends Disposable {
  readonly deltas: DeltaSource;
  /** What is there, by name. */
  list(signal?: AbortSignal): Promise<DeltaPair[]>;
}

/** @param openRemote opens a URL. @throws NotFoundError if there is neither a repository nor a delta. */
export function openDeltaPlace(place: string, openRemote: (url: string) => HttpSource): DeltaPlace {
  if (place.includes('://')) {
    const source = openRemote(place);
    return placeOf(source, async (signal) => listRemote(source, signal));
  }
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() === true && existsSync(join(place, 'config'))) {
    return placeOf(openLocalSource(place), () => Promise.resolve(listDeltaFolder(place)));
  }
  const file = new DeltaFileSource(place);
  return placeOf(file, () => Promise.resolve([file.superblock]));
}

function placeOf(source: Source, list: DeltaPlace['list']): DeltaPlace {
  return { deltas: deltasOf(source), list, [Symbol.dispose]: () => source.close() };
}

/** What the summary lists, and the delta indexes of the commits that refs lead to. */
async function listRemote(source: HttpSource, signal: AbortSignal | undefined): Promise<KnownDelta[]> {
  const commits = new Set((await source.listRefs(signal)).values());
  const found = new Map<string, KnownDelta>();
  const add = (deltas: readonly KnownDelta[] = []): void => {
    for (const delta of deltas) found.set(deltaName(delta.from, delta.to), delta);
  };
  add(await source.deltas.listSummary(signal));
  for (const commit of commits) add(await source.deltas.listDeltas(commit, signal));
  return Array.from(found.values());
}

/** The pair that `FROM-TO` or `TO` names. */
export function parseDeltaName(name: string): DeltaPair | undefined {
  const [first = '', second, ...more] = name.split('-');
  if (more.length > 0 || !isChecksum(first)) return undefined;
  if (second === undefined) return { from: undefined, to: first };
  return isChecksum(second) ? { from: first, to: second } : undefined;
}

/** @throws NotFoundError; as `decodeSuperblock` */
export async function readSuperblock(
  { deltas }: DeltaPlace,
  pair: DeltaPair,
  signal?: AbortSignal,
): Promise<Superblock> {
  const bytes = await deltas.readSuperblock(pair, signal);
  if (bytes !== undefined) return decodeSuperblock(bytes, pair);
  const name = deltaName(pair.from, pair.to);
  throw new NotFoundError(`There is no static delta ${name}`, { delta: name });
}
