/**
 * The `summary` of a repository: GVariant `(a(s(taya{sv}))a{sv})`, its refs and then metadata, among it the refs of other collections
 * and the static deltas. It may list 100,000 refs, so nothing is decoded before it is asked for.
 *
 * What is given out has been checked, its normal form included; what nobody asks for has not. Where a summary is taken over as a
 * whole, as by a mirror, `check` reads all of it as libostree does.
 */
import { CfsError, FormatError } from '../bytes/errors.ts';
import { GVariantArray } from '../gvariant/src/array.ts';
import { decode } from '../gvariant/src/decode.ts';
import { Variant, type Decoded } from '../gvariant/src/value.ts';
import { checksumFromBytes, isChecksum, type OstreeChecksum } from './checksum.ts';
import { checkMetadata, type Metadata } from './metadata.ts';
import { bisectNamed, nameBytes, scanNamed } from './named-array.ts';
import { MAX_METADATA_SIZE } from './object-type.ts';
import { isCollectionId } from './ref.ts';
import { SummaryRefs, type SummaryRef } from './summary-refs.ts';
import { decodeNormal, normalForm, swap64 } from './variant.ts';

export const SUMMARY_TYPE = '(a(s(taya{sv}))a{sv})';
export const COLLECTION_MAP_TYPE = 'a{sa(s(taya{sv}))}';

/** Keys of the metadata. */
export const SummaryKey = {
  mode: 'ostree.summary.mode',
  lastModified: 'ostree.summary.last-modified',
  expires: 'ostree.summary.expires',
  tombstoneCommits: 'ostree.summary.tombstone-commits',
  staticDeltas: 'ostree.static-deltas',
  indexedDeltas: 'ostree.summary.indexed-deltas',
  collectionId: 'ostree.summary.collection-id',
  collectionMap: 'ostree.summary.collection-map',
} as const;

/** A static delta that a summary lists. */
export interface ListedDelta {
  /** Undefined for a delta from nothing. */
  readonly from: OstreeChecksum | undefined;
  readonly to: OstreeChecksum;
  /** SHA-256 of the superblock file, hex. */
  readonly superblock: string;
}

export interface ListOptions {
  /** Another collection than that of the main list. */
  readonly collection?: string;
  /** Which names are wanted. */
  readonly match?: ((ref: string) => boolean) | undefined;
}

/**
 * Reads the outline of a summary; `name` is what messages call it. The bytes are kept, not copied.
 * @throws FormatError if the outline is not in normal form, CfsError LIMIT beyond 128 MiB.
 */
export function decodeSummary(bytes: Uint8Array, name = 'summary'): Summary {
  if (bytes.length > MAX_METADATA_SIZE) {
    const problem = `Cannot decode ${name}: ${bytes.length} bytes, more than ${MAX_METADATA_SIZE}`;
    throw new CfsError('LIMIT', problem, { size: bytes.length, limit: MAX_METADATA_SIZE });
  }
  const [refs, metadata] = normalForm(name, SUMMARY_TYPE, () => decode(SUMMARY_TYPE, bytes));
  return new Summary(refs, metadata, name);
}

/** Every member may throw a `FormatError` for what it has to read. A known key with a value of another type counts as absent. */
export class Summary {
  readonly format: string;
  readonly #main: SummaryRefs;
  readonly #metadata: GVariantArray<readonly [string, Variant]>;

  /** For `decodeSummary`. */
  constructor(refs: GVariantArray<unknown>, metadata: GVariantArray<readonly [string, Variant]>, format: string) {
    this.format = format;
    this.#main = new SummaryRefs(refs, format, 'refs');
    this.#metadata = metadata;
  }

  /** The value of a key, arrays in it still unread. */
  #lazy<const Text extends string>(key: string, type: Text): Decoded<Text> | undefined {
    return normalForm(this.format, `metadata.${key}`, () => {
      const index = scanNamed(this.#metadata, key);
      if (index === undefined) return undefined;
      const [name, value] = this.#metadata.at(index);
      return name === key && value.type === type ? (value.value as Decoded<Text>) : undefined;
    });
  }

  /** The value of the first entry `key` if it has just this type; numbers are read as little-endian. */
  metadataValue<const Text extends string>(key: string, type: Text): Decoded<Text> | undefined {
    const entry = normalForm(this.format, `metadata.${key}`, () => {
      const index = scanNamed(this.#metadata, key);
      return index === undefined ? undefined : this.#metadata.bytesAt(index);
    });
    if (entry === undefined) return undefined;
    const [, value] = decodeNormal('{sv}', entry, this.format, `metadata.${key}`);
    return value.type === type ? (value.value as Decoded<Text>) : undefined;
  }

  #time(key: string): bigint | undefined {
    const stored = this.metadataValue(key, 't');
    return stored === undefined ? undefined : swap64(stored);
  }

  /** All metadata, lists of collections and deltas included. */
  metadata(): Metadata {
    const entries = Array.from({ length: this.#metadata.length }, (_, index) => {
      const field = `metadata[${index}]`;
      const bytes = normalForm(this.format, field, () => this.#metadata.bytesAt(index));
      return decodeNormal('{sv}', bytes, this.format, field);
    });
    return checkMetadata(entries, this.format, 'metadata');
  }

  /** As the repository's configuration names it: `archive-z2`, `bare`… */
  get mode(): string | undefined {
    return this.metadataValue(SummaryKey.mode, 's');
  }

  /** Seconds since the epoch. */
  get lastModified(): bigint | undefined {
    return this.#time(SummaryKey.lastModified);
  }

  /** Seconds since the epoch; nobody enforces it. */
  get expires(): bigint | undefined {
    return this.#time(SummaryKey.expires);
  }

  get tombstoneCommits(): boolean | undefined {
    return this.metadataValue(SummaryKey.tombstoneCommits, 'b');
  }

  /** Whether there are delta indexes, which then list the deltas instead of the summary. */
  get indexedDeltas(): boolean | undefined {
    return this.metadataValue(SummaryKey.indexedDeltas, 'b');
  }

  /** The collection that the main list of refs is of. */
  get collectionId(): string | undefined {
    const id = this.metadataValue(SummaryKey.collectionId, 's');
    if (id !== undefined) this.#checkCollection(id, SummaryKey.collectionId);
    return id;
  }

  #checkCollection(id: string, key: string): void {
    if (!isCollectionId(id)) {
      throw new FormatError(this.format, `metadata.${key}`, `Invalid collection ID ${id.slice(0, 256)}`);
    }
  }

  #collectionMap(): GVariantArray<unknown> | undefined {
    return this.#lazy(SummaryKey.collectionMap, COLLECTION_MAP_TYPE);
  }

  /** The other collections that refs are listed of. */
  collections(): string[] {
    return Array.from(this.#eachCollection(), ([id]) => id);
  }

  *#eachCollection(): Generator<[id: string, refs: SummaryRefs], void, undefined> {
    const map = this.#collectionMap();
    for (let index = 0; index < (map?.length ?? 0); index++) yield this.#collectionAt(map!, index);
  }

  #collectionAt(map: GVariantArray<unknown>, index: number): [id: string, refs: SummaryRefs] {
    const field = `metadata.${SummaryKey.collectionMap}`;
    const [id, refs] = normalForm(this.format, field, () => map.at(index) as [string, GVariantArray<unknown>]);
    this.#checkCollection(id, SummaryKey.collectionMap);
    return [id, new SummaryRefs(refs, this.format, `${field}.${id}`)];
  }

  /** The main list, or that of a collection; undefined if the summary does not know the collection. */
  refsOf(collection?: string): SummaryRefs | undefined {
    if (collection === undefined || collection === this.collectionId) return this.#main;
    const map = this.#collectionMap();
    if (map === undefined) return undefined;
    const index = normalForm(
      this.format,
      `metadata.${SummaryKey.collectionMap}`,
      () => bisectNamed(map, collection) ?? scanNamed(map, collection),
    );
    return index === undefined ? undefined : this.#collectionAt(map, index)[1];
  }

  /** One ref of the main list, or of a collection. */
  find(ref: string, collection?: string): SummaryRef | undefined {
    return this.refsOf(collection)?.find(ref);
  }

  /** Refs, each decoded when it is asked for. */
  list({ collection, match }: ListOptions = {}): Iterable<SummaryRef> {
    return this.refsOf(collection)?.list(match) ?? [];
  }

  /** Whether the summary says which static deltas there are; without it only delta indexes can. */
  get listsStaticDeltas(): boolean {
    return this.#lazy(SummaryKey.staticDeltas, 'a{sv}') !== undefined;
  }

  /** All static deltas, or those to one commit. */
  *staticDeltas(to?: OstreeChecksum): Generator<ListedDelta, void, undefined> {
    const deltas = this.#lazy(SummaryKey.staticDeltas, 'a{sv}');
    const suffix = to === undefined ? undefined : Buffer.from(to);
    const field = `metadata.${SummaryKey.staticDeltas}`;
    for (let index = 0; index < (deltas?.length ?? 0); index++) {
      const at = `${field}[${index}]`;
      const bytes = normalForm(this.format, at, () => {
        const name = nameBytes(deltas!, index);
        return suffix === undefined || suffix.equals(name.subarray(-suffix.length))
          ? deltas!.bytesAt(index)
          : undefined;
      });
      if (bytes !== undefined) yield decodeListedDelta(bytes, this.format, at);
    }
  }

  /** Reads all of it. @throws FormatError, also where a ref is listed twice. */
  check(): void {
    this.metadata();
    void this.collectionId;
    this.#main.check();
    for (const [, refs] of this.#eachCollection()) refs.check();
    for (const _ of this.staticDeltas());
  }
}

/** An entry of a list of static deltas: `{sv}`, name and digest. @throws FormatError */
export function decodeListedDelta(bytes: Uint8Array, format: string, field: string): ListedDelta {
  const [name, { type, value }] = decodeNormal('{sv}', bytes, format, field);
  const [first = '', second, ...more] = name.split('-');
  const to = second ?? first;
  if (!isChecksum(first) || !isChecksum(to) || more.length > 0) {
    throw new FormatError(format, field, `'${name.slice(0, 256)}' is not the name of a static delta`);
  }
  if (type !== 'ay') throw new FormatError(format, field, `the digest of delta ${name} has type ${type}, not ay`);
  const superblock = checksumFromBytes(value as Uint8Array, format, field);
  return { from: second === undefined ? undefined : first, to, superblock };
}
