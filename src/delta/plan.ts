/** What a delta has to bring, and how: objects that the older commit lacks, each file with the old one that it may be made from. */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeArchiveHeader, isSymlinkMode } from '../../ostree/file-header.ts';
import { newFiles, pairByName } from '../../ostree/delta/make/pair.ts';
import type { StoredObject } from '../commit/content.ts';
import type { CommitGraph } from '../commit/graph.ts';
import type { StoredCommit } from '../commit/stored.ts';
import type { ObjectId } from '../verity/object-id.ts';

/** A stored commit and its metadata. */
export interface DeltaEnd {
  readonly stored: StoredCommit;
  readonly graph: CommitGraph;
}

export interface PlannedSource {
  readonly checksum: OstreeChecksum;
  readonly stored: StoredObject;
  /** It has the same content, only another owner, mode or other attributes. */
  readonly same: boolean;
}

export interface PlannedMetadata {
  readonly kind: 'metadata';
  readonly type: 'dirtree' | 'dirmeta';
  readonly checksum: OstreeChecksum;
  readonly bytes: Uint8Array;
}

export interface PlannedFile {
  readonly kind: 'file';
  readonly checksum: OstreeChecksum;
  readonly stored: StoredObject;
  readonly source?: PlannedSource | undefined;
}

export type PlannedObject = PlannedMetadata | PlannedFile;

/** Objects that are worked on together. */
export interface PlannedGroup {
  readonly objects: readonly PlannedObject[];
  /** How long it takes, to other groups. */
  readonly work: number;
}

export interface DeltaPlan {
  readonly groups: readonly PlannedGroup[];
  readonly objectCount: number;
  /** Bytes of metadata and of files. */
  readonly size: number;
  /** Files that are fetched by themselves. */
  readonly fallbacks: readonly { readonly checksum: OstreeChecksum; readonly size: number }[];
}

export interface PlanOptions {
  /** Bytes of the largest payload. */
  readonly maxChunkSize: number;
  /** Files of more bytes are fallbacks, unless they are made from old ones; 0 for none. */
  readonly minFallbackSize: number;
}

/** Files of fewer bytes are given as a whole: the checksum of a source takes half of that. */
const MIN_PAIRED_SIZE = 64;
/** Bytes that an object takes besides its content. */
const OBJECT_SIZE = 64;
/** What it costs to compress what is left of a file with a source, to that of a whole one. */
const SOURCED_WORK = 1 / 4;

interface StoredRegularFile {
  readonly stored: StoredObject;
  readonly size: number;
  readonly mode: number;
}

/** @throws FormatError for a stored file that cannot be decoded; CfsError CORRUPT for one that is missing. */
export function planDelta(from: DeltaEnd | undefined, to: DeltaEnd, options: PlanOptions): DeltaPlan {
  const metadata = newMetadata(from?.graph, to.graph);
  const symlinks: PlannedObject[] = [];
  const sourced: PlannedObject[] = [];
  const whole: PlannedObject[] = [];
  const fallbacks: { checksum: OstreeChecksum; size: number }[] = [];
  let size = metadata.reduce((sum, { bytes }) => sum + bytes.length, 0);
  for (const [checksum, file] of chooseSources(from, to)) {
    const { stored, source } = file;
    if (source === undefined && options.minFallbackSize > 0 && file.size > options.minFallbackSize) {
      fallbacks.push({ checksum, size: file.size });
      continue;
    }
    const list = isSymlinkMode(file.mode) ? symlinks : source === undefined ? whole : sourced;
    list.push({ kind: 'file', checksum, stored: detached(stored), source });
    size += file.size;
  }
  const objects = [...metadata, ...sourced, ...whole, ...symlinks];
  return { groups: group(objects, options.maxChunkSize), objectCount: objects.length, size, fallbacks };
}

function newMetadata(from: CommitGraph | undefined, to: CommitGraph): PlannedMetadata[] {
  const objects: PlannedMetadata[] = [];
  for (const type of ['dirmeta', 'dirtree'] as const) {
    const known = from?.[`${type}s`];
    for (const checksum of to[`${type}s`].keys()) {
      if (known?.has(checksum) === true) continue;
      objects.push({ kind: 'metadata', type, checksum, bytes: new Uint8Array(to.objects.get(checksum)!) });
    }
  }
  return objects;
}

interface FileWithSource extends StoredRegularFile {
  readonly source: PlannedSource | undefined;
}

function chooseSources(from: DeltaEnd | undefined, to: DeltaEnd): Map<OstreeChecksum, FileWithSource> {
  const oldTree = from === undefined ? undefined : treeOf(from);
  const files = newFiles(treeOf(to), oldTree);
  const news = new Map(files.map(({ checksum }) => [checksum, inspect(to, checksum)]));
  const contents = from === undefined ? undefined : contentsOf(from);
  const olds = new Map<OstreeChecksum, StoredRegularFile | undefined>();
  const old = (checksum: OstreeChecksum): StoredRegularFile | undefined => {
    if (!olds.has(checksum)) olds.set(checksum, usableSource(from!, checksum));
    return olds.get(checksum);
  };
  const unpaired = files.filter(({ checksum, source }) => {
    const { stored, size, mode } = news.get(checksum)!;
    if (isSymlinkMode(mode) || size < MIN_PAIRED_SIZE) return false;
    if (stored.object !== undefined && contents?.has(stored.object) === true) return false;
    return source === undefined || old(source) === undefined;
  });
  const sizeOf = (checksum: OstreeChecksum, inOld: boolean): number | undefined =>
    (inOld ? old(checksum) : news.get(checksum))?.size;
  const pairs = oldTree === undefined ? undefined : pairByName(unpaired, oldTree, sizeOf);

  const source = (checksum: OstreeChecksum, samePath: OstreeChecksum | undefined): PlannedSource | undefined => {
    const { stored, size, mode } = news.get(checksum)!;
    if (isSymlinkMode(mode) || size < MIN_PAIRED_SIZE) return undefined;
    const same = stored.object === undefined ? undefined : contents?.get(stored.object);
    if (same !== undefined) return { checksum: same.checksum, stored: detached(same.stored), same: true };
    const chosen = samePath !== undefined && old(samePath) !== undefined ? samePath : pairs?.get(checksum);
    if (chosen === undefined) return undefined;
    return { checksum: chosen, stored: detached(old(chosen)!.stored), same: false };
  };
  return new Map(
    files.map(({ checksum, source: samePath }) => [
      checksum,
      { ...news.get(checksum)!, source: source(checksum, samePath) },
    ]),
  );
}

function treeOf({ graph }: DeltaEnd): { root: OstreeChecksum; dirtrees: CommitGraph['dirtrees'] } {
  return { root: graph.commit.rootTree, dirtrees: graph.dirtrees };
}

function inspect({ stored: { content, checksum: commit } }: DeltaEnd, checksum: OstreeChecksum): StoredRegularFile {
  const stored = content.get(checksum);
  if (stored === undefined) {
    throw new CfsError('CORRUPT', `The stored commit ${commit} lacks its file object ${checksum}`, {
      object: checksum,
    });
  }
  const { size, header } = decodeArchiveHeader(stored.data, checksum);
  return { stored, size, mode: header.mode };
}

/** The old file, if new ones may be made from it: who applies a delta must be able to read it, as any user. */
function usableSource(from: DeltaEnd, checksum: OstreeChecksum): StoredRegularFile | undefined {
  const file = inspect(from, checksum);
  const isUsable = !isSymlinkMode(file.mode) && file.size >= MIN_PAIRED_SIZE && (file.mode & 0o004) !== 0;
  return isUsable ? file : undefined;
}

/** The usable files whose content is an object, by that. */
function contentsOf(
  from: DeltaEnd,
): Map<ObjectId, { readonly checksum: OstreeChecksum; readonly stored: StoredObject }> {
  const contents = new Map<ObjectId, { checksum: OstreeChecksum; stored: StoredObject }>();
  for (const checksum of from.graph.files) {
    const stored = from.stored.content.get(checksum);
    if (stored?.object === undefined || contents.has(stored.object)) continue;
    if (usableSource(from, checksum) !== undefined) contents.set(stored.object, { checksum, stored });
  }
  return contents;
}

/** A copy that does not take the whole commit stream along to another thread. */
function detached({ data, object }: StoredObject): StoredObject {
  return { data: new Uint8Array(data), object };
}

interface Extent {
  /** Bytes that the object may take in a payload. */
  readonly size: number;
  readonly work: number;
}

function extentOf(object: PlannedObject): Extent {
  if (object.kind === 'metadata') return { size: object.bytes.length + OBJECT_SIZE, work: object.bytes.length };
  if (object.source?.same === true) return { size: OBJECT_SIZE, work: 0 };
  const { size } = decodeArchiveHeader(object.stored.data, object.checksum);
  return { size: size + OBJECT_SIZE, work: object.source === undefined ? size : size * SOURCED_WORK };
}

/**
 * Cuts the list into as few groups as the limit of a payload allows, of about the same size: what lies together compresses better, and
 * the workers share it evenly.
 */
function group(objects: readonly PlannedObject[], maxChunkSize: number): PlannedGroup[] {
  const extents = objects.map(extentOf);
  const total = extents.reduce((sum, { size }) => sum + size, 0);
  const wanted = total / Math.ceil(total / maxChunkSize);
  const groups: { objects: PlannedObject[]; work: number }[] = [];
  let used = Infinity;
  for (const [i, { size, work }] of extents.entries()) {
    if (used + size / 2 > wanted || used + size > maxChunkSize) {
      groups.push({ objects: [], work: 0 });
      used = 0;
    }
    const last = groups.at(-1)!;
    last.objects.push(objects[i]!);
    last.work += work;
    used += size;
  }
  return groups;
}
