/** Decoding superblocks, in either byte order; see format.ts. */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { lookup } from '../../gvariant/src/decode.ts';
import type { Variant } from '../../gvariant/src/value.ts';
import { checksumFromBytes, type OstreeChecksum } from '../checksum.ts';
import { checkMetadata, type Metadata } from '../metadata.ts';
import { verifyMetadataObject } from '../object-verify.ts';
import { decodeNormal, swap64 } from '../variant.ts';
import { DeltaKey, deltaFolder, deltaName, Endianness, LISTED_OBJECT_SIZE, PART_VERSION } from './format.ts';
import { ListedObjects, listedType, type ListedType } from './listed-objects.ts';
import { openSuperblockFile } from './signed.ts';
import { splitSuperblock } from './superblock-frame.ts';

export interface DeltaPart {
  readonly index: number;
  /** SHA-256 of the part file. */
  readonly digest: OstreeChecksum;
  /** Bytes of the part file. */
  readonly size: number;
  /** What its objects add up to, symlinks not counted: as the maker says it. */
  readonly unpackedSize: number;
  /** What it makes, in this order. */
  readonly objects: ListedObjects;
  /** The part file, if it lies in the superblock. */
  readonly inline: Uint8Array | undefined;
}

/** An object that is to be fetched by itself. */
export interface DeltaFallback {
  readonly type: ListedType;
  readonly checksum: OstreeChecksum;
  readonly size: number;
  readonly unpackedSize: number;
}

export interface Superblock {
  /** `FROM-TO` or `TO`. */
  readonly name: string;
  /** Seconds since the epoch. */
  readonly timestamp: bigint;
  /** Undefined for a delta from nothing. */
  readonly from: OstreeChecksum | undefined;
  readonly to: OstreeChecksum;
  /** The commit object of TO, verified. */
  readonly commit: Uint8Array;
  /** Detached metadata of TO. */
  readonly commitMeta: Metadata | undefined;
  readonly metadata: Metadata;
  readonly byteOrder: 'little' | 'big';
  readonly parts: readonly DeltaPart[];
  readonly fallbacks: readonly DeltaFallback[];
  /** Undefined for a superblock that is not signed; not verified. */
  readonly signatures: Metadata | undefined;
}

/** The delta that was asked for. */
export interface DeltaPair {
  readonly from: OstreeChecksum | undefined;
  readonly to: OstreeChecksum;
}

/** Bytes of a pair of checksums. */
const PREREQUISITE_SIZE = 64;
/** Far more than 2 TiB in parts of usual size take; each takes memory in every thread. */
const MAX_PARTS = 65_536;
const MAX_FALLBACKS = 262_144;

type RawPart = readonly [version: number, digest: Uint8Array, size: bigint, unpackedSize: bigint, objects: Uint8Array];
type RawFallback = readonly [number: number, checksum: Uint8Array, size: bigint, unpackedSize: bigint];

/**
 * Decodes the file `superblock` of a delta; data are views. The commit object has its checksum, and FROM and TO are those of
 * `wanted`, if that is given.
 * @throws FormatError that names the field, ChecksumError for a wrong commit object, CfsError LIMIT beyond 128 MiB and for too many entries.
 */
export function decodeSuperblock(bytes: Uint8Array, wanted?: DeltaPair): Superblock {
  const format = `superblock${wanted === undefined ? '' : ` of delta ${deltaName(wanted.from, wanted.to)}`}`;
  const { superblock, signatures } = openSuperblockFile(bytes, format);
  const frame = splitSuperblock(superblock, format);
  const from = frame.from.length === 0 ? undefined : checksumFromBytes(frame.from, format, 'from');
  const to = checksumFromBytes(frame.to, format, 'to');
  if (wanted !== undefined) checkPair({ from, to }, wanted, format);
  verifyMetadataObject('commit', to, frame.commit);
  if (frame.prerequisites.length % PREREQUISITE_SIZE !== 0) {
    const problem = `${frame.prerequisites.length} bytes are no pairs of checksums`;
    throw new FormatError(format, 'prerequisites', problem);
  }
  const metadata = checkMetadata(decodeNormal('a{sv}', frame.metadata, format, 'metadata'), format, 'metadata');
  const parts = atMost(MAX_PARTS, decodeNormal('a(uayttay)', frame.parts, format, 'parts'), format, 'parts');
  const fallbacks = atMost(
    MAX_FALLBACKS,
    decodeNormal('a(yaytt)', frame.fallbacks, format, 'fallbacks'),
    format,
    'fallbacks',
  );
  const byteOrder = byteOrderOf(metadata, parts);
  const reader = new EntryReader(format, byteOrder, metadata, deltaFolder(from, to));
  return {
    name: deltaName(from, to),
    timestamp: swap64(decodeNormal('t', frame.timestamp, format, 'timestamp')),
    from,
    to,
    commit: frame.commit,
    commitMeta: reader.commitMeta(),
    metadata,
    byteOrder,
    parts: parts.map((part, index) => reader.part(part, index)),
    fallbacks: fallbacks.map((fallback, index) => reader.fallback(fallback, index)),
    signatures,
  };
}

function atMost<Entry>(
  limit: number,
  entries: Iterable<Entry> & { readonly length: number },
  format: string,
  field: string,
): readonly Entry[] {
  if (entries.length <= limit) return Array.from(entries);
  const facts = { field, count: entries.length, limit };
  throw new CfsError('LIMIT', `Cannot decode ${format}: ${entries.length} ${field}, the most is ${limit}`, facts);
}

function checkPair(actual: DeltaPair, wanted: DeltaPair, format: string): void {
  for (const field of ['from', 'to'] as const) {
    if (actual[field] === wanted[field]) continue;
    throw new FormatError(
      format,
      field,
      `${actual[field] ?? 'nothing'}, but ${wanted[field] ?? 'nothing'} was asked for`,
    );
  }
}

/**
 * Makers before 2016 left their byte order unsaid; it is told by sizes that cannot be: files that compression made much longer, or
 * objects of 4 GiB on average.
 */
function byteOrderOf(metadata: Metadata, parts: readonly RawPart[]): Superblock['byteOrder'] {
  const marker = lookup(metadata, DeltaKey.endianness, 'y');
  if (marker === Endianness.big) return 'big';
  if (marker !== undefined) return 'little';
  let total = 0;
  let objects = 0;
  for (const [, , size, unpackedSize, list] of parts) {
    if (Number(size) > 1.2 * Number(unpackedSize)) return 'big';
    total += Number(size);
    objects += Math.floor(list.length / LISTED_OBJECT_SIZE);
  }
  return total / Math.max(objects, 1) > 0xffff_ffff ? 'big' : 'little';
}

/** Decodes parts and fallbacks of one superblock. */
class EntryReader {
  readonly #format: string;
  readonly #big: boolean;
  readonly #entries: ReadonlyMap<string, Variant>;
  readonly #folder: string;

  constructor(format: string, byteOrder: Superblock['byteOrder'], metadata: Metadata, folder: string) {
    this.#format = format;
    this.#big = byteOrder === 'big';
    // The first entry of a key counts.
    this.#entries = new Map(metadata.toReversed());
    this.#folder = folder;
  }

  part([rawVersion, digest, size, unpackedSize, objects]: RawPart, index: number): DeltaPart {
    const field = `parts[${index}]`;
    const version = this.#big ? swap32(rawVersion) : rawVersion;
    if (version !== PART_VERSION) {
      throw new FormatError(this.#format, `${field}.version`, `Delta part has too new version ${version}`);
    }
    const inline = this.#entry(`${index}`, '(yay)') as readonly [number, Uint8Array] | undefined;
    return {
      index,
      digest: checksumFromBytes(digest, this.#format, `${field}.checksum`),
      size: this.#size(size, `${field}.size`),
      unpackedSize: this.#size(unpackedSize, `${field}.usize`),
      objects: new ListedObjects(objects, this.#format, `${field}.objects`),
      inline: inline === undefined ? undefined : withByteBefore(inline[1]),
    };
  }

  fallback([number, checksum, size, unpackedSize]: RawFallback, index: number): DeltaFallback {
    const field = `fallbacks[${index}]`;
    return {
      type: listedType(number, this.#format, `${field}.type`),
      checksum: checksumFromBytes(checksum, this.#format, `${field}.checksum`),
      size: this.#size(size, `${field}.size`),
      unpackedSize: this.#size(unpackedSize, `${field}.usize`),
    };
  }

  commitMeta(): Metadata | undefined {
    const entries = this.#entry('commitmeta', 'a{sv}') as Iterable<readonly [string, Variant]> | undefined;
    return entries && checkMetadata(entries, this.#format, `metadata.${this.#folder}/commitmeta`);
  }

  /** The value of a key below the delta's folder. */
  #entry(name: string, type: string): unknown {
    const key = `${this.#folder}/${name}`;
    const value = this.#entries.get(key);
    if (value === undefined || value.type === type) return value?.value;
    throw new FormatError(this.#format, `metadata.${key}`, `has type ${value.type}, not ${type}`);
  }

  #size(raw: bigint, field: string): number {
    const size = Number(this.#big ? swap64(raw) : raw);
    if (Number.isSafeInteger(size)) return size;
    throw new FormatError(this.#format, field, `${size} bytes, more than 2^53 - 1`);
  }
}

/** A serialised `(yay)`, whose array this is: the very bytes of a part file. */
function withByteBefore(array: Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset - 1, array.length + 1);
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
