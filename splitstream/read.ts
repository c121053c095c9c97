/**
 * Decodes split streams. The tables are read at once; the stream section is only decompressed when its chunks are asked for, so
 * that finding references costs nothing for it.
 *
 * Everything is checked that can be without the repository: ranges, tables, names, chunk bounds, inline data against
 * `stream_size`. A repeated name of a named ref is allowed; the last one counts.
 */
import { CfsError, FormatError } from '../bytes/errors.ts';
import { toHex } from '../bytes/hex.ts';
import { viewOf } from '../bytes/struct.ts';
import { algorithms, FORMAT, header, info, LG_BLOCKSIZE, MAGIC, oldHeader, VERSION } from './format.ts';
import type { DigestAlgorithm } from './format.ts';
import { decompress } from './zstd.ts';

/** A piece of the stream: bytes, or an index into `objectRefs` whose object's whole content stands here. */
export type Chunk =
  | { readonly inline: Uint8Array; readonly external?: never }
  | { readonly external: number; readonly inline?: never };

export interface Splitstream {
  /** `old` is the header of bootc up to 1.15. */
  readonly layout: 'current' | 'old';
  readonly algorithm: DigestAlgorithm;
  /** One of `ContentType`, or any other number. */
  readonly contentType: bigint;
  /** Size of the merged stream in bytes: inline data and external objects. */
  readonly streamSize: number;
  /** Digests in lower-case hex. Only those that a named ref points to mean anything. */
  readonly streamRefs: readonly string[];
  /** Digests in lower-case hex; external chunks are indices into this. */
  readonly objectRefs: readonly string[];
  /** Name to digest. */
  readonly namedRefs: ReadonlyMap<string, string>;
  /** The stream section as it is in the file, compressed. */
  readonly compressed: Uint8Array;
}

export interface DecodeOptions {
  /** Refuse a stream of the other algorithm. */
  readonly algorithm?: DigestAlgorithm;
  /** Refuse another content type. */
  readonly contentType?: bigint;
}

/** Greatest decompressed size of the named refs; an image with a thousand layers has 80 KiB of them. */
const NAMED_REFS_LIMIT = 16 << 20;

/** @throws FormatError */
export function decodeSplitstream(file: Uint8Array, options: DecodeOptions = {}): Splitstream {
  const view = viewOf(file);
  const { layout, fields } = decodeHeader(file, view);
  if (fields.version !== VERSION) throw new FormatError(FORMAT, 'version', `${fields.version} is not known`);
  const algorithm = algorithmByNumber(fields.algorithm);
  if (options.algorithm !== undefined && algorithm !== options.algorithm) {
    throw new FormatError(FORMAT, 'algorithm', `expected ${options.algorithm}, got ${algorithm}`);
  }
  if (fields.lg_blocksize !== LG_BLOCKSIZE) {
    throw new FormatError(FORMAT, 'lg_blocksize', `expected ${LG_BLOCKSIZE}, got ${fields.lg_blocksize}`);
  }
  const infoRange = rangeOf(file, 'info', fields.info_start, fields.info_end);
  if (infoRange.end - infoRange.start < info.size) {
    throw new FormatError(FORMAT, 'info', `expected ${info.size} bytes, got ${infoRange.end - infoRange.start}`);
  }
  const block = info.read(view, infoRange.start);
  if (options.contentType !== undefined && block.content_type !== options.contentType) {
    const [expected, actual] = [options.contentType, block.content_type].map((type) => `0x${type.toString(16)}`);
    throw new FormatError(FORMAT, 'content_type', `expected ${expected}, got ${actual}`);
  }
  const ranges = {
    stream_refs: rangeOf(file, 'stream_refs', block.stream_refs_start, block.stream_refs_end),
    object_refs: rangeOf(file, 'object_refs', block.object_refs_start, block.object_refs_end),
    named_refs: rangeOf(file, 'named_refs', block.named_refs_start, block.named_refs_end),
    stream: rangeOf(file, 'stream', block.stream_start, block.stream_end),
  };
  rejectOverlaps([{ field: 'header', start: 0, end: header.size }, infoRange, ...Object.values(ranges)]);
  const { size } = algorithms[algorithm];
  const streamRefs = digests(file, ranges.stream_refs, size);
  const named = file.subarray(ranges.named_refs.start, ranges.named_refs.end);
  return {
    layout,
    algorithm,
    contentType: block.content_type,
    streamSize: safeNumber('stream_size', block.stream_size),
    streamRefs,
    objectRefs: digests(file, ranges.object_refs, size),
    namedRefs: decodeNamedRefs(named, streamRefs),
    compressed: file.subarray(ranges.stream.start, ranges.stream.end),
  };
}

function decodeHeader(
  file: Uint8Array,
  view: DataView,
): { layout: 'current' | 'old'; fields: ReturnType<typeof header.read> } {
  const current = header.read(view);
  if (Buffer.compare(current.magic, MAGIC) === 0) return { layout: 'current', fields: current };
  const old = oldHeader.read(view);
  if (Buffer.compare(old.magic, MAGIC) === 0) return { layout: 'old', fields: old };
  throw new FormatError(FORMAT, 'magic', `got ${toHex(file.subarray(0, MAGIC.length))}`, 0);
}

function algorithmByNumber(number: number): DigestAlgorithm {
  for (const name of ['sha256', 'sha512'] as const) if (algorithms[name].number === number) return name;
  throw new FormatError(FORMAT, 'algorithm', `${number} is not known`);
}

function safeNumber(field: string, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(FORMAT, field, `${value} is too large`);
  return Number(value);
}

interface Range {
  readonly field: string;
  readonly start: number;
  readonly end: number;
}

function rangeOf(file: Uint8Array, field: string, start: bigint, end: bigint): Range {
  if (end < start) throw new FormatError(FORMAT, field, `ends at ${end}, before its start at ${start}`);
  if (end > BigInt(file.length)) {
    throw new FormatError(FORMAT, field, `ends at ${end}, the file has ${file.length} bytes`);
  }
  return { field, start: Number(start), end: Number(end) };
}

/** No writer lets sections share bytes. Empty ones may lie anywhere. */
function rejectOverlaps(ranges: readonly Range[]): void {
  const sorted = ranges.filter((range) => range.end > range.start).sort((a, b) => a.start - b.start);
  for (const [i, range] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined && range.start < before.end) {
      throw new FormatError(FORMAT, range.field, `overlaps ${before.field}`, range.start);
    }
  }
}

function digests(file: Uint8Array, { field, start, end }: Range, size: number): string[] {
  if ((end - start) % size !== 0) {
    throw new FormatError(FORMAT, field, `${end - start} bytes are not a multiple of ${size}`, start);
  }
  const all = toHex(file.subarray(start, end));
  return Array.from({ length: (end - start) / size }, (_, i) => all.slice(2 * size * i, 2 * size * (i + 1)));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeNamedRefs(section: Uint8Array, streamRefs: readonly string[]): Map<string, string> {
  const field = 'named_refs';
  const content = decompress(
    section,
    field,
    NAMED_REFS_LIMIT,
    () => new CfsError('LIMIT', `Cannot decode ${FORMAT}: ${field} have more than ${NAMED_REFS_LIMIT} bytes`),
  );
  const refs = new Map<string, string>();
  for (let offset = 0; offset < content.length;) {
    const end = content.indexOf(0, offset);
    if (end === -1) throw new FormatError(FORMAT, field, 'trailing bytes without NUL', offset);
    let entry: string;
    try {
      entry = utf8.decode(content.subarray(offset, end));
    } catch (cause) {
      throw new FormatError(FORMAT, field, 'not UTF-8', offset, cause);
    }
    const colon = entry.indexOf(':');
    if (colon === -1) throw new FormatError(FORMAT, field, `'${entry}' has no colon`, offset);
    const index = entry.slice(0, colon);
    const digest = /^[0-9]{1,9}$/.test(index) ? streamRefs[Number(index)] : undefined;
    if (digest === undefined) {
      throw new FormatError(FORMAT, field, `'${index}' is no index into ${streamRefs.length} stream refs`, offset);
    }
    refs.set(entry.slice(colon + 1), digest);
    offset = end + 1;
  }
  return refs;
}

/** Greatest decompressed size of a stream section unless the caller says otherwise: 2 GiB. */
const STREAM_LIMIT = 2 ** 31;

/**
 * The chunks in stream order; inline bytes are views of one decompressed buffer. Decompresses the section when the first chunk
 * is asked for, and refuses more of it than `stream_size` allows for.
 *
 * @throws FormatError for damaged compressed data, chunks past the end, indices outside of `objectRefs`, inline data that
 *   exceeds `stream_size` or, without any external chunk, falls short of it. CfsError LIMIT beyond `limit` bytes.
 */
export function* readChunks(
  stream: Splitstream,
  options: { readonly limit?: number } = {},
): Generator<Chunk, void, undefined> {
  const { limit = STREAM_LIMIT } = options;
  // Each chunk has 8 bytes of instruction and stands for at least one byte of the stream. Objects may be empty in theory.
  const plausible = 9 * stream.streamSize + 65_536;
  const content = decompress(stream.compressed, 'stream', Math.min(limit, plausible), () =>
    plausible < limit
      ? new FormatError(FORMAT, 'stream', `more chunks than a stream of ${stream.streamSize} bytes can have`)
      : new CfsError('LIMIT', `Cannot decode ${FORMAT}: its stream section has more than ${limit} bytes`),
  );
  const view = viewOf(content);
  let inlineSize = 0;
  let onlyInline = true;
  for (let offset = 0; offset < content.length;) {
    if (content.length - offset < 8) throw new FormatError(FORMAT, 'stream.instruction', 'unexpected end', offset);
    const instruction = view.getBigInt64(offset, true);
    if (instruction >= 0n) {
      if (instruction >= BigInt(stream.objectRefs.length)) {
        const problem = `${instruction} is no index into ${stream.objectRefs.length} object refs`;
        throw new FormatError(FORMAT, 'stream.external', problem, offset);
      }
      onlyInline = false;
      offset += 8;
      yield { external: Number(instruction) };
      continue;
    }
    const length = -instruction;
    const left = content.length - offset - 8;
    if (length > BigInt(left)) {
      throw new FormatError(FORMAT, 'stream.inline', `needs ${length} bytes, ${left} are left`, offset);
    }
    const start = offset + 8;
    offset = start + Number(length);
    inlineSize += Number(length);
    if (inlineSize > stream.streamSize) throw sizeMismatch(stream, inlineSize);
    yield { inline: content.subarray(start, offset) };
  }
  if (onlyInline && inlineSize !== stream.streamSize) throw sizeMismatch(stream, inlineSize);
}

function sizeMismatch(stream: Splitstream, actual: number): FormatError {
  return new FormatError(FORMAT, 'stream_size', `${stream.streamSize} bytes are declared, the chunks have ${actual}`);
}

/**
 * The whole content of a stream that may not refer to objects.
 *
 * @throws FormatError, also for an external chunk.
 */
export function readInlineContent(stream: Splitstream, options: { readonly limit?: number } = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const chunk of readChunks(stream, options)) {
    if (chunk.inline === undefined) throw new FormatError(FORMAT, 'stream.external', 'not allowed in this stream');
    parts.push(chunk.inline);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/**
 * Reads all chunks and compares their sizes with `stream_size`.
 *
 * @param sizeOf the size of an object in bytes, by digest.
 * @throws FormatError as `readChunks`, and when the sizes differ.
 */
export function verifyStreamSize(
  stream: Splitstream,
  sizeOf: (digest: string) => number,
  options: { readonly limit?: number } = {},
): void {
  let size = 0;
  const sizes = new Map<number, number>();
  for (const chunk of readChunks(stream, options)) {
    if (chunk.inline !== undefined) {
      size += chunk.inline.length;
    } else {
      let objectSize = sizes.get(chunk.external);
      if (objectSize === undefined)
        sizes.set(chunk.external, (objectSize = sizeOf(stream.objectRefs[chunk.external] ?? '')));
      size += objectSize;
    }
  }
  if (size !== stream.streamSize) throw sizeMismatch(stream, size);
}
