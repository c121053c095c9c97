/**
 * flatpak's `summary.idx`: GVariant `(a{s(ayaaya{sv})}a{sv})`, from the name of a subset to the SHA-256 of its summary, those of its
 * earlier summaries, and metadata. A subset is an architecture, or a choice of refs for one: `x86_64`, `verified-x86_64`. Its summary,
 * a usual one, is the file `summaries/<sha256>.gz`, whose name is the digest of what it holds uncompressed.
 */
import { gunzipSync } from 'node:zlib';
import { CfsError, ChecksumError, FormatError, hasCode } from '../bytes/errors.ts';
import { encode } from '../gvariant/src/encode.ts';
import { checksumBytes, checksumFromBytes, checksumOf, parseChecksum } from './checksum.ts';
import { checkMetadata, type Metadata } from './metadata.ts';
import { MAX_METADATA_SIZE } from './object-type.ts';
import { compareUtf8 } from './text-order.ts';
import { decodeNormal } from './variant.ts';

export interface SubSummary {
  /** SHA-256 of the uncompressed summary, hex. */
  readonly digest: string;
  /** Those of earlier ones, the newest first. */
  readonly history: readonly string[];
  readonly metadata: Metadata;
}

export interface SummaryIndex {
  readonly subsets: ReadonlyMap<string, SubSummary>;
  readonly metadata: Metadata;
}

const TYPE = '(a{s(ayaaya{sv})}a{sv})';
const FORMAT = 'summary.idx';

/** Names that become parts of file names. */
const subsetPattern = /^[\p{L}\p{N}_][-._+\p{L}\p{N}_]*$/u;

/** @throws FormatError; CfsError LIMIT beyond 128 MiB. */
export function decodeSummaryIndex(bytes: Uint8Array): SummaryIndex {
  checkSize(bytes, FORMAT);
  const [entries, metadata] = decodeNormal(TYPE, bytes, FORMAT);
  const subsets = new Map<string, SubSummary>();
  for (const [name, [digest, history, details]] of entries) {
    checkSubset(name);
    const field = `subsets.${name}`;
    if (subsets.has(name)) throw new FormatError(FORMAT, field, 'the subset is listed twice');
    subsets.set(name, {
      digest: checksumFromBytes(digest, FORMAT, field),
      history: Array.from(history, (old, i) => checksumFromBytes(old, FORMAT, `${field}.history[${i}]`)),
      metadata: checkMetadata(details, FORMAT, `${field}.metadata`),
    });
  }
  return { subsets, metadata: checkMetadata(metadata, FORMAT, 'metadata') };
}

function checkSize(bytes: Uint8Array, what: string): void {
  if (bytes.length <= MAX_METADATA_SIZE) return;
  throw tooLarge(what, MAX_METADATA_SIZE);
}

function tooLarge(what: string, limit: number): CfsError {
  return new CfsError('LIMIT', `Cannot decode ${what}: more than ${limit} bytes`, { limit });
}

function checkSubset(name: string): void {
  if (!subsetPattern.test(name)) {
    throw new FormatError(FORMAT, 'subsets', `invalid name of a subset ${JSON.stringify(name.slice(0, 256))}`);
  }
}

/** The bytes of an index, subsets sorted. @throws CfsError FORMAT for invalid names and digests. */
export function encodeSummaryIndex({ subsets, metadata }: SummaryIndex): Uint8Array {
  const bytesOf = (digest: string): Uint8Array => checksumBytes(parseChecksum(digest));
  const entries = [...subsets]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([name, { digest, history, metadata: details }]) => {
      checkSubset(name);
      return [name, [bytesOf(digest), history.map(bytesOf), checkMetadata(details, FORMAT, name)]] as const;
    });
  return encode(TYPE, [entries, checkMetadata(metadata, FORMAT, 'metadata')]);
}

/**
 * The subset of an architecture, or of a choice of its refs, that lists `ref`: the architecture is the fragment of the ref that there
 * is a subset for (`app/ID/ARCH/BRANCH`, `appstream/ARCH`), else `architecture`. Undefined if there is no such subset.
 */
export function subsetFor(
  index: SummaryIndex,
  ref: string,
  options: { readonly architecture?: string; readonly subset?: string } = {},
): string | undefined {
  const nameOf = (architecture: string): string =>
    options.subset === undefined ? architecture : `${options.subset}-${architecture}`;
  const architectures = ref.split('/').slice(1);
  if (options.architecture !== undefined) architectures.push(options.architecture);
  return architectures.map(nameOf).find((name) => index.subsets.has(name));
}

/** Where a sub-summary is, below the URL of the repository. */
export function subSummaryPath(digest: string): string {
  return `summaries/${parseChecksum(digest)}.gz`;
}

/**
 * Decompresses a sub-summary and compares its digest.
 * @throws FormatError if it is not gzip, ChecksumError, CfsError LIMIT beyond `limit` bytes (128 MiB).
 */
export function decompressSubSummary(
  compressed: Uint8Array,
  digest: string,
  options: { readonly limit?: number } = {},
): Uint8Array {
  const { limit = MAX_METADATA_SIZE } = options;
  const what = `sub-summary ${digest}`;
  checkSize(compressed, what);
  let bytes: Uint8Array;
  try {
    bytes = gunzipSync(compressed, { maxOutputLength: limit });
  } catch (error) {
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE')) throw tooLarge(what, limit);
    const problem = error instanceof Error ? error.message : String(error);
    throw new FormatError(what, 'gzip', problem, undefined, error);
  }
  const actual = checksumOf(bytes);
  if (actual !== digest) throw new ChecksumError(what, digest, actual);
  return bytes;
}
