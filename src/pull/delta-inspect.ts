/** Looking at static deltas without storing anything: what their parts hold, and whether they make what they say. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { ChecksumError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { MakeBytes } from '../../ostree/delta/bspatch.ts';
import { runPart, type DeltaOutput, type OpenReadSource } from '../../ostree/delta/interpreter.ts';
import { OperationReader, type Operation } from '../../ostree/delta/operations.ts';
import { readPart, type OpenPayload, type PartSink } from '../../ostree/delta/part-file.ts';
import type { DeltaSource } from '../../ostree/delta/source.ts';
import type { DeltaPart, Superblock } from '../../ostree/delta/superblock.ts';
import { openUnnamed } from '../../ostree/unnamed-file.ts';
import { partName } from './delta-job.ts';
import { breather } from '../threads.ts';
import { streamPart } from './delta-loop.ts';
import { measureSpace } from './space.ts';
import { openDecompressor } from './xz.ts';

/** How often each operation occurs. */
export type OperationCounts = Readonly<Record<Operation['op'], number>>;

export interface PartContents {
  readonly modes: number;
  readonly xattrs: number;
  readonly blobSize: number;
  readonly operationsSize: number;
  readonly operations: OperationCounts;
}

/** Bytes made at a time. */
const PIECE_SIZE = 64 * 1024;

/** Reads a part, verifies its checksum, and checks of its program what can be told without running it. */
export async function inspectPart(
  deltas: DeltaSource,
  superblock: Superblock,
  part: DeltaPart,
  signal?: AbortSignal,
): Promise<PartContents> {
  using read = await openPart(deltas, superblock, part, signal);
  const { payload } = read;
  return {
    modes: payload.modeCount,
    xattrs: payload.xattrCount,
    blobSize: payload.blob.size,
    operationsSize: payload.operations.size,
    operations: countOperations(new OperationReader(payload, part.objects)),
  };
}

/**
 * Runs a part, and verifies each object that it makes.
 * @param open gives files of FROM; without it only a part that needs none can be run.
 */
export async function verifyPart(
  deltas: DeltaSource,
  superblock: Superblock,
  part: DeltaPart,
  open: OpenReadSource,
  signal?: AbortSignal,
): Promise<void> {
  using read = await openPart(deltas, superblock, part, signal);
  const pause = pauser(signal);
  for (const _ of runPart(read.payload, part.objects, new HashOutput(), open)) {
    const paused = pause();
    if (paused !== undefined) await paused;
  }
}

function pauser(signal: AbortSignal | undefined): () => Promise<void> | undefined {
  const breathe = breather();
  return () => {
    signal?.throwIfAborted();
    return breathe();
  };
}

function openPart(
  deltas: DeltaSource,
  superblock: Superblock,
  part: DeltaPart,
  signal: AbortSignal | undefined,
): Promise<OpenPayload> {
  const directory = tmpdir();
  const stream = (sink: PartSink): Promise<void> => streamPart(deltas, superblock, part, sink, signal);
  return readPart(part, partName(superblock, part), stream, {
    decompressor: openDecompressor,
    temporary: {
      open: () => ({ fd: openUnnamed(directory), path: `a temporary file in ${directory}` }),
      close: ({ fd }) => closeSync(fd),
    },
    room: () => measureSpace(directory, { bytes: 0 }).free,
    pause: pauser(signal),
  });
}

function countOperations(reader: OperationReader): OperationCounts {
  const counts: Record<Operation['op'], number> = {
    'splice metadata': 0,
    'splice file': 0,
    open: 0,
    write: 0,
    'set read source': 0,
    'unset read source': 0,
    close: 0,
    bspatch: 0,
  };
  for (let next = reader.next(); next !== undefined; next = reader.next()) counts[next.op]++;
  return counts;
}

/** Compares checksums, and forgets the rest. */
class HashOutput implements DeltaOutput {
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_SIZE);
  #checksum: OstreeChecksum | undefined;
  #hash: Hash = createHash('sha256');

  wants(): boolean {
    return true;
  }

  metadata(): void {}

  begin(checksum: OstreeChecksum, hashedHeader: Uint8Array): void {
    this.#checksum = checksum;
    this.#hash = createHash('sha256').update(hashedHeader);
  }

  write(make: MakeBytes): void {
    this.#hash.update(this.#piece.subarray(0, make(this.#piece, 0, PIECE_SIZE)));
  }

  finish(): void {
    const actual = this.#hash.digest('hex');
    const checksum = this.#checksum!;
    if (actual !== checksum) throw new ChecksumError(`file object ${checksum}`, checksum, actual);
  }
}
