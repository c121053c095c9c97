/** Where static deltas come from. What a source gives is unverified. */
import type { OstreeChecksum } from '../checksum.ts';
import type { PartSink } from './part-file.ts';
import type { DeltaPair } from './superblock.ts';

/** A delta that is known to be there, or to have been. */
export interface KnownDelta extends DeltaPair {
  /** SHA-256 of the superblock file, where that is known. */
  readonly superblock: string | undefined;
}

export interface DeltaSource {
  /**
   * The deltas to a commit, by the summary and the commit's delta index; undefined if the source does not say which there are, so
   * that one has to ask. Each is listed once, and may be gone.
   */
  listDeltas(to: OstreeChecksum, signal?: AbortSignal): Promise<readonly KnownDelta[] | undefined>;
  /** The file `superblock`, at most 128 MiB; undefined if there is none. */
  readSuperblock(pair: DeltaPair, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** Gives the file of a part to `sink`, of which at most `limit` bytes. @throws NotFoundError; CfsError LIMIT */
  streamPart(pair: DeltaPair, index: number, limit: number, sink: PartSink, signal?: AbortSignal): Promise<void>;
}
