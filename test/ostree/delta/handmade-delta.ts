/** Static deltas written by hand, so that every part of them can be wrong. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from '../../../gvariant/src/decode.ts';
import { encode } from '../../../gvariant/src/encode.ts';
import { checksumBytes, type OstreeChecksum } from '../../../ostree/checksum.ts';
import { Compression, deltaFolder, PAYLOAD_TYPE, SUPERBLOCK_TYPE } from '../../../ostree/delta/format.ts';
import { encodeVarint } from '../../../ostree/delta/varint.ts';
import { swap64 } from '../../../ostree/variant.ts';
import { objectNumbers, type ObjectType } from '../../../ostree/object-type.ts';

export type Listed = readonly [type: ObjectType, checksum: OstreeChecksum];

export interface PayloadFacts {
  /** uid, gid, mode. */
  readonly modes?: readonly (readonly [number, number, number])[];
  readonly blob?: Uint8Array;
  readonly operations: Uint8Array;
}

/** An operation with its operands. */
export function op(code: number, ...operands: readonly number[]): number[] {
  const bytes = [code];
  for (const operand of operands) encodeVarint(operand, bytes);
  return bytes;
}

export function program(...operations: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(operations.flat());
}

/** With one xattr set: none. */
export function encodePayload({
  modes = [[0, 0, 0o100644]],
  blob = new Uint8Array(0),
  operations,
}: PayloadFacts): Uint8Array {
  const swapped = modes.map((mode) => mode.map((value) => Buffer.from(u32be(value)).readUInt32LE()));
  return encode(PAYLOAD_TYPE, [swapped as unknown as [number, number, number][], [[]], blob, operations]);
}

function u32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A part file that is not compressed. */
export function plainPart(payload: PayloadFacts | Uint8Array): Buffer {
  return Buffer.concat([
    Uint8Array.of(Compression.none),
    payload instanceof Uint8Array ? payload : encodePayload(payload),
  ]);
}

export interface PartFacts {
  readonly file: Uint8Array;
  readonly objects: readonly Listed[] | Uint8Array;
  readonly inline?: boolean;
  readonly version?: number;
  readonly digest?: Uint8Array;
  readonly size?: number;
  readonly unpackedSize?: number;
}

export interface DeltaFacts {
  readonly from?: OstreeChecksum | Uint8Array | undefined;
  readonly to: OstreeChecksum | Uint8Array;
  readonly commit: Uint8Array;
  readonly parts?: readonly PartFacts[];
  readonly prerequisites?: Uint8Array;
  readonly fallbacks?: readonly (readonly [number, Uint8Array, bigint, bigint])[];
  /** Value of the endianness key, 'l' unless given; none for null. */
  readonly marker?: number | null;
  /** Write sizes big-endian. */
  readonly big?: boolean;
  readonly metadata?: readonly (readonly [string, { readonly type: string; readonly value: unknown }])[];
}

export function encodeHandmadeSuperblock(facts: DeltaFacts): Uint8Array {
  const { from, to, commit, parts = [], prerequisites = new Uint8Array(0), fallbacks = [], metadata = [] } = facts;
  const { marker = 0x6c, big = false } = facts;
  const u64 = (value: number): bigint => (big ? swap64(BigInt(value)) : BigInt(value));
  const bytesOf = (sum: OstreeChecksum | Uint8Array): Uint8Array =>
    typeof sum === 'string' ? checksumBytes(sum) : sum;
  const folder = deltaFolder(
    typeof from === 'string' ? from : undefined,
    typeof to === 'string' ? to : ('0'.repeat(64) as OstreeChecksum),
  );
  const inline = parts.flatMap(({ file, inline: isInline }, i) =>
    isInline === true ? [[`${folder}/${i}`, { type: '(yay)', value: [file[0]!, file.subarray(1)] }] as const] : [],
  );
  const entries = parts.map(
    ({ file, objects, version = 0, digest, size, unpackedSize = 2 ** 20 }) =>
      [
        big ? Buffer.from(u32be(version)).readUInt32LE() : version,
        digest ?? createHash('sha256').update(file).digest(),
        u64(size ?? file.length),
        u64(unpackedSize),
        objects instanceof Uint8Array ? objects : encodeListed(objects),
      ] as const,
  );
  const endianness = marker === null ? [] : ([['ostree.endianness', { type: 'y', value: marker }]] as const);
  return encode(SUPERBLOCK_TYPE, [
    [...endianness, ...inline, ...metadata],
    0n,
    from === undefined ? new Uint8Array(0) : bytesOf(from),
    bytesOf(to),
    decodeCommitValue(commit),
    prerequisites,
    entries,
    fallbacks,
  ] as never);
}

function decodeCommitValue(commit: Uint8Array): unknown {
  return decode('(a{sv}aya(say)sstayay)', commit);
}

function encodeListed(objects: readonly Listed[]): Uint8Array {
  return Buffer.concat(objects.flatMap(([type, sum]) => [Uint8Array.of(objectNumbers[type]), checksumBytes(sum)]));
}

/** Puts a delta where a repository has it. */
export function putDelta(repository: string, superblock: Uint8Array, facts: DeltaFacts): void {
  const { from, to, parts = [] } = facts as { from?: OstreeChecksum; to: OstreeChecksum; parts?: readonly PartFacts[] };
  const folder = join(repository, deltaFolder(from, to));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'superblock'), superblock);
  for (const [i, { file, inline }] of parts.entries()) if (inline !== true) writeFileSync(join(folder, `${i}`), file);
}

/** A record of bsdiff: its numbers as they are, then bytes. */
export function patchRecord(diff: bigint, extra: bigint, seek: bigint, bytes: Uint8Array = new Uint8Array(0)): Buffer {
  const record = Buffer.alloc(24);
  for (const [i, value] of [diff, extra, seek].entries()) {
    record.writeBigUInt64LE(value < 0n ? (1n << 63n) | -value : value, 8 * i);
  }
  return Buffer.concat([record, bytes]);
}
