/** What crosses between the thread that plans a delta and those that make its parts. */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { ListedPart } from '../../ostree/delta/make/superblock.ts';
import type { ObjectStore } from '../repository/objects.ts';
import type { PlannedObject, PlanOptions } from './plan.ts';

/** Given to a worker when it is made. */
export interface PartJob extends PlanOptions {
  readonly store: ObjectStore;
  /** Where the part files go. */
  readonly folder: string;
  /** Bytes of an old and a new file together that are compared in memory. */
  readonly maxPatchSize: number;
  /** False: no patches, only copies. */
  readonly patches: boolean;
}

export interface PartTask {
  /** Number of the group. */
  readonly group: number;
  readonly objects: readonly PlannedObject[];
}

/** How many files are made in which way. */
export interface FileCounts {
  /** From copies of an old one. */
  readonly copied: number;
  /** By a patch of an old one. */
  readonly patched: number;
  /** Given as a whole. */
  readonly whole: number;
}

export interface MadePart extends ListedPart {
  /** Its file in the folder, not yet under its final name. */
  readonly file: string;
  readonly objectCount: number;
  /** Bytes before compression. */
  readonly payloadSize: number;
}

export interface MadeParts {
  readonly parts: readonly MadePart[];
  /** Files that turned out to be unlike their sources, and are too large to be given as a whole. */
  readonly fallbacks: readonly { readonly checksum: OstreeChecksum; readonly size: number }[];
  readonly counts: FileCounts;
}

/** What a worker says. */
export type PartMessage =
  | { readonly kind: 'progress'; readonly objects: number; readonly bytes: number }
  | { readonly kind: 'made'; readonly group: number; readonly made: MadeParts };
