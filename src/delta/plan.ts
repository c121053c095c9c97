/** What a delta has to bring, and how: objects that the older commit lacks, each file with the old one that it may be made from. */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeArchiveHeader, isSymlinkMode } from '../../ostree/file-header.ts';
import type { StoredObject } from '../commit/content.ts';
import type { CommitGraph } from '../commit/graph.ts';
import { filesWithSources, type DeltaEnd, type Source } from './sources.ts';

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

/** Bytes that an object takes besides its content. */
const OBJECT_SIZE = 64;
/** What it costs to compress what is left of a file with a source, to that of a whole one. */
const SOURCED_WORK = 1 / 4;

/** @throws FormatError for a stored file that cannot be decoded; CfsError CORRUPT for one that is missing. */
export function planDelta(from: DeltaEnd | undefined, to: DeltaEnd, options: PlanOptions): DeltaPlan {
  const metadata = newMetadata(from?.graph, to.graph);
  const symlinks: PlannedObject[] = [];
  const sourced: PlannedObject[] = [];
  const whole: PlannedObject[] = [];
  const fallbacks: { checksum: OstreeChecksum; size: number }[] = [];
  let size = metadata.reduce((sum, { bytes }) => sum + bytes.length, 0);
  for (const { file, source } of filesWithSources(from, to)) {
    const { checksum, stored } = file;
    if (source === undefined && options.minFallbackSize > 0 && file.size > options.minFallbackSize) {
      fallbacks.push({ checksum, size: file.size });
      continue;
    }
    const list = isSymlinkMode(file.mode) ? symlinks : source === undefined ? whole : sourced;
    list.push({ kind: 'file', checksum, stored: detached(stored), source: source && plannedSource(source) });
    size += file.size;
  }
  const objects = [...metadata, ...sourced, ...whole, ...symlinks];
  return { groups: group(objects, options.maxChunkSize), objectCount: objects.length, size, fallbacks };
}

function plannedSource({ checksum, stored, same }: Source): PlannedSource {
  return { checksum, stored: detached(stored), same };
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
