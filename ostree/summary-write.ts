/** Making a `summary` (see `summary.ts` for the format). */
import { FormatError } from '../bytes/errors.ts';
import { encode } from '../gvariant/src/encode.ts';
import { Variant, type Encodable } from '../gvariant/src/value.ts';
import { checksumBytes, parseChecksum } from './checksum.ts';
import { checkMetadata, type Metadata } from './metadata.ts';
import { checkCollectionId, isRefName } from './ref.ts';
import type { SummaryRef } from './summary-refs.ts';
import { COLLECTION_MAP_TYPE, SUMMARY_TYPE, SummaryKey, type ListedDelta } from './summary.ts';
import { compareUtf8 } from './text-order.ts';
import { swap64 } from './variant.ts';

export interface SummaryFacts {
  readonly mode?: string;
  /** Seconds since the epoch. */
  readonly lastModified?: bigint;
  readonly expires?: bigint;
  readonly tombstoneCommits?: boolean;
  readonly staticDeltas?: readonly ListedDelta[];
  readonly indexedDeltas?: boolean;
  readonly collectionId?: string;
  /** Refs of other collections, by collection. */
  readonly collections?: ReadonlyMap<string, readonly SummaryRef[]>;
}

/** The metadata that says `facts`, in the order in which `ostree` writes it. @throws CfsError FORMAT for invalid names. */
export function summaryMetadata(facts: SummaryFacts): Metadata {
  const entries: [string, Variant][] = [];
  const add = (key: string, type: string, value: unknown): void => {
    if (value !== undefined) entries.push([key, new Variant(type, value)]);
  };
  const time = (value: bigint | undefined) => (value === undefined ? undefined : swap64(value));
  if (facts.collectionId !== undefined) checkCollectionId(facts.collectionId);
  add(SummaryKey.mode, 's', facts.mode);
  add(SummaryKey.lastModified, 't', time(facts.lastModified));
  add(SummaryKey.expires, 't', time(facts.expires));
  add(SummaryKey.tombstoneCommits, 'b', facts.tombstoneCommits);
  add(SummaryKey.staticDeltas, 'a{sv}', facts.staticDeltas?.map(deltaEntry));
  add(SummaryKey.indexedDeltas, 'b', facts.indexedDeltas);
  add(SummaryKey.collectionId, 's', facts.collectionId);
  add(SummaryKey.collectionMap, COLLECTION_MAP_TYPE, facts.collections && collectionEntries(facts.collections));
  return entries;
}

function deltaEntry({ from, to, superblock }: ListedDelta): readonly [string, Variant] {
  const name = from === undefined ? to : `${from}-${to}`;
  return [name, new Variant('ay', checksumBytes(parseChecksum(superblock)))];
}

function collectionEntries(
  collections: ReadonlyMap<string, readonly SummaryRef[]>,
): Encodable<typeof COLLECTION_MAP_TYPE> {
  const sorted = [...collections].sort(([a], [b]) => compareUtf8(a, b));
  return sorted.map(([id, refs]) => {
    checkCollectionId(id);
    return [id, refEntries(refs, `collection ${id}`)] as const;
  });
}

/** Sorts `refs`, which may be in any order. @throws FormatError for an invalid name or one that is there twice. */
function refEntries(refs: Iterable<SummaryRef>, field: string): Encodable<'a(s(taya{sv}))'> {
  const sorted = [...refs].sort((a, b) => compareUtf8(a.ref, b.ref));
  return sorted.map(({ ref, commit, commitSize, metadata }, i) => {
    if (!isRefName(ref)) throw new FormatError('summary', field, `Invalid ref name ${ref}`);
    if (sorted[i - 1]?.ref === ref) throw new FormatError('summary', field, `the ref ${ref} is listed twice`);
    const entries = checkMetadata(metadata, 'summary', `${field}.${ref}`);
    return [ref, [commitSize, checksumBytes(commit), entries]] as const;
  });
}

/** The bytes of a summary of `refs`, in any order, and metadata as `summaryMetadata` or a decoded summary gives it. @throws FormatError */
export function encodeSummary(refs: Iterable<SummaryRef>, metadata: Metadata): Uint8Array {
  return encode(SUMMARY_TYPE, [refEntries(refs, 'refs'), checkMetadata(metadata, 'summary', 'metadata')]);
}
