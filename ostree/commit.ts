/**
 * Commit objects: GVariant `(a{sv}aya(say)sstayay)`: metadata, parent checksum (empty for none), related objects (unused), subject,
 * body, seconds since the epoch (big-endian), checksums of the root's dirtree and dirmeta.
 */
import { FormatError } from '../bytes/errors.ts';
import { encode } from '../gvariant/src/encode.ts';
import { checksumBytes, checksumFromBytes, checksumOf, type OstreeChecksum } from './checksum.ts';
import { checkMetadata, type Metadata } from './metadata.ts';
import { decodeNormal, swap64 } from './variant.ts';

export interface Commit {
  readonly metadata: Metadata;
  readonly parent: OstreeChecksum | undefined;
  /** Empty in every commit of our days, kept since it is hashed. */
  readonly related: readonly (readonly [name: string, checksum: OstreeChecksum])[];
  readonly subject: string;
  readonly body: string;
  /** Seconds since the epoch, unsigned. */
  readonly timestamp: bigint;
  readonly rootTree: OstreeChecksum;
  readonly rootMeta: OstreeChecksum;
}

const TYPE = '(a{sv}aya(say)sstayay)';

/** Decodes and checks a commit object; `FormatError` otherwise. The checksum is only for messages. */
export function decodeCommit(bytes: Uint8Array, checksum?: OstreeChecksum): Commit {
  const format = checksum === undefined ? 'commit' : `commit ${checksum}`;
  const [metadata, parent, related, subject, body, timestamp, tree, meta] = decodeNormal(TYPE, bytes, format);
  return {
    metadata: checkMetadata(metadata, format, 'metadata'),
    parent: parent.length === 0 ? undefined : checksumField(format, 'parent', parent, 'parent'),
    related: Array.from(related, ([name, sum], i) => [name, checksumFromBytes(sum, format, `related[${i}]`)] as const),
    subject,
    body,
    timestamp: swap64(timestamp),
    rootTree: checksumField(format, 'rootTree', tree, 'tree content checksum'),
    rootMeta: checksumField(format, 'rootMeta', meta, 'tree metadata checksum'),
  };
}

function checksumField(format: string, field: string, bytes: Uint8Array, meaning: string): OstreeChecksum {
  if (bytes.length === 32) return checksumFromBytes(bytes);
  const problem = `Invalid commit ${meaning}: Invalid checksum of length ${bytes.length} expected 32`;
  throw new FormatError(format, field, problem);
}

/** The bytes of a commit object; `FormatError` for an empty metadata key. */
export function encodeCommit(commit: Commit): Uint8Array {
  return encode(TYPE, [
    checkMetadata(commit.metadata, 'commit', 'metadata'),
    commit.parent === undefined ? new Uint8Array(0) : checksumBytes(commit.parent),
    commit.related.map(([name, checksum]) => [name, checksumBytes(checksum)] as const),
    commit.subject,
    commit.body,
    swap64(commit.timestamp),
    checksumBytes(commit.rootTree),
    checksumBytes(commit.rootMeta),
  ]);
}

/** What `ostree show` calls ContentChecksum: the same for commits whose trees are the same. */
export function contentChecksum(commit: Commit): OstreeChecksum {
  return checksumOf(Buffer.concat([checksumBytes(commit.rootTree), checksumBytes(commit.rootMeta)]));
}
