/**
 * Summaries of remotes, kept between pulls as streams that nothing refers to, so that every garbage collection drops them. One inline
 * chunk: two lengths, the SHA-256 of the summary, then ETag, Last-Modified and the summary.
 *
 * composefs-rs names such a stream by host and path alone, so that servers on two ports share it. Here the name ends in a digest of the
 * whole URL, by which no name of theirs is ever one of ours.
 */
import { CfsError, ChecksumError, FormatError } from '../../bytes/errors.ts';
import { toHex } from '../../bytes/hex.ts';
import { bytes, struct, u16, viewOf } from '../../bytes/struct.ts';
import { checksumBytes, checksumOf } from '../../ostree/checksum.ts';
import type { CachedSummary } from '../../ostree/http/remote-refs.ts';
import { MAX_METADATA_SIZE } from '../../ostree/object-type.ts';
import { ContentType } from '../../splitstream/format.ts';
import { decodeSplitstream, readInlineContent, type Splitstream } from '../../splitstream/read.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { assertStreamName } from '../repository/layout.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';

const FORMAT = 'summary cache stream';

const header = struct(FORMAT, 36, {
  etag_length: [0, u16],
  last_modified_length: [2, u16],
  sha256: [4, bytes(32)],
});

const MAX_VALIDATOR = 0xffff;

/** What may be sent back in a header field. */
const validatorPattern = /^[\x20-\x7e]*$/;

/** The stream that caches the summary of the repository at `url`. @throws CfsError USAGE for what is no URL. */
export function summaryStreamName(url: string): string {
  return named('ostree-summary', url);
}

/** The stream that caches its sub-summary for one subset. @throws CfsError USAGE, also for a subset that cannot be part of a name. */
export function subSummaryStreamName(subset: string, url: string): string {
  return named(`ostree-subsummary-${subset}`, url);
}

/** Characters of host and path that are repeated in a name, for those who list streams. */
const READABLE = 80;

function named(prefix: string, url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null)
    throw new CfsError('USAGE', 'Cannot name a summary cache: the address of the remote is not a URL');
  const { protocol, host, pathname, search, hash } = parsed;
  const place = host + pathname.replace(/\/+$/, '');
  const digest = checksumOf(Buffer.from(`${protocol}//${place}${search}${hash}`));
  const readable = place.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, READABLE);
  const name = `${prefix}-${readable}-${digest}`;
  assertStreamName(name);
  return name;
}

/** The bytes of a cache stream. A validator that is too long for it, or not printable ASCII, is left out. */
export function encodeSummaryCache(algorithm: HashAlgorithm, entry: Omit<CachedSummary, 'checksum'>): Uint8Array {
  const [etag, lastModified] = [entry.etag, entry.lastModified].map((value = '') =>
    Buffer.from(value.length <= MAX_VALIDATOR && validatorPattern.test(value) ? value : ''),
  ) as [Buffer, Buffer];
  const head = new Uint8Array(header.size);
  header.write(viewOf(head), 0, {
    etag_length: etag.length,
    last_modified_length: lastModified.length,
    sha256: checksumBytes(checksumOf(entry.summary)),
  });
  const writer = new SplitstreamWriter({ algorithm, contentType: ContentType.ostreeSummary });
  for (const part of [head, etag, lastModified, entry.summary]) writer.writeInline(part);
  return writer.finish();
}

/** @throws FormatError, ChecksumError if the summary is not the one that was stored, CfsError LIMIT for more than 128 MiB of it. */
export function decodeSummaryCache(file: Uint8Array, algorithm: HashAlgorithm): CachedSummary {
  return readSummaryCache(decodeSplitstream(file, { algorithm, contentType: ContentType.ostreeSummary }));
}

/** The same for a splitstream of this content type. */
export function readSummaryCache(stream: Splitstream): CachedSummary {
  // A chunk has a header of 8 bytes, and others may write several.
  const limit = MAX_METADATA_SIZE + header.size + 2 * MAX_VALIDATOR + 4096;
  const content = readInlineContent(stream, { limit });
  const { etag_length, last_modified_length, sha256 } = header.read(viewOf(content));
  const lastModifiedStart = header.size + etag_length;
  const summaryStart = lastModifiedStart + last_modified_length;
  if (summaryStart > content.length) {
    throw new FormatError(FORMAT, 'last_modified_length', `the content has ${content.length} bytes, too few for both`);
  }
  const summary = content.subarray(summaryStart);
  const expected = toHex(sha256);
  const checksum = checksumOf(summary);
  if (checksum !== expected) throw new ChecksumError('cached summary', expected, checksum);
  return {
    etag: validator(content.subarray(header.size, lastModifiedStart), 'etag'),
    lastModified: validator(content.subarray(lastModifiedStart, summaryStart), 'last_modified'),
    summary,
    checksum,
  };
}

function validator(value: Uint8Array, field: string): string | undefined {
  const text = Buffer.from(value).toString('latin1');
  if (!validatorPattern.test(text)) throw new FormatError(FORMAT, field, 'not printable ASCII');
  return text === '' ? undefined : text;
}
