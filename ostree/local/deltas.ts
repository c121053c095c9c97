/** Static deltas in files: of a repository on disk, or one that was copied. */
import { closeSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { decodeDeltaIndex } from '../delta/delta-index.ts';
import { deltaFolder, deltaIndexPath, MAX_SUPERBLOCK_SIZE } from '../delta/format.ts';
import type { PartSink } from '../delta/part-file.ts';
import type { DeltaSource, KnownDelta } from '../delta/source.ts';
import type { DeltaPair } from '../delta/superblock.ts';
import { MAX_METADATA_SIZE } from '../object-type.ts';
import { decodeSummary } from '../summary.ts';
import { FileReader, readAt } from './file-reader.ts';

/** A folder's name behind its first two characters: what `deltaFolder` makes. */
const NAME = /^[A-Za-z0-9+_]{41}(?:-[A-Za-z0-9+_]{43})?$/;
const PIECE_SIZE = 256 * 1024;

export class LocalDeltas implements DeltaSource {
  readonly #path: string;
  readonly #reader = new FileReader();

  /** @param path of the repository. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Those that are there, with their digests where the summary or the delta index has them. */
  async listDeltas(to: OstreeChecksum): Promise<readonly KnownDelta[]> {
    const summary = this.#reader.readWhole(join(this.#path, 'summary'), MAX_METADATA_SIZE);
    const index = this.#reader.readWhole(join(this.#path, deltaIndexPath(to)), MAX_METADATA_SIZE);
    const listed = [
      ...(summary === undefined ? [] : decodeSummary(summary).staticDeltas(to)),
      ...(index === undefined ? [] : decodeDeltaIndex(index, to)),
    ];
    const digests = new Map(listed.map(({ from, superblock }) => [from, superblock]));
    const found = listDeltaFolder(this.#path).filter((pair) => pair.to === to);
    return Promise.resolve(found.map(({ from }) => ({ from, to, superblock: digests.get(from) })));
  }

  async readSuperblock({ from, to }: DeltaPair): Promise<Uint8Array | undefined> {
    const path = join(this.#path, deltaFolder(from, to), 'superblock');
    return Promise.resolve(this.#reader.readWhole(path, MAX_SUPERBLOCK_SIZE));
  }

  streamPart({ from, to }: DeltaPair, index: number, limit: number, sink: PartSink): Promise<void> {
    return streamFile(this.#reader, join(this.#path, deltaFolder(from, to), `${index}`), limit, sink);
  }
}

/** The static deltas in the repository at `path`. */
export function listDeltaFolder(path: string): DeltaPair[] {
  const folder = join(path, 'deltas');
  return namesIn(folder)
    .flatMap((prefix) => namesIn(join(folder, prefix)).map((name) => [prefix, name] as const))
    .filter(([prefix, name]) => prefix.length === 2 && NAME.test(name))
    .map(([prefix, name]): DeltaPair => {
      const [first, second] = (prefix + name).split('-').map(fromBase64) as [
        OstreeChecksum,
        OstreeChecksum | undefined,
      ];
      return second === undefined ? { from: undefined, to: first } : { from: first, to: second };
    });
}

function fromBase64(text: string): OstreeChecksum {
  return Buffer.from(text.replaceAll('_', '/'), 'base64').toString('hex') as OstreeChecksum;
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path).toSorted();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** @throws NotFoundError; CfsError LIMIT for a longer file. */
export async function streamFile(reader: FileReader, path: string, limit: number, sink: PartSink): Promise<void> {
  let fd;
  try {
    fd = reader.open(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw new NotFoundError(`There is no delta part ${path}`, { path }, error);
    throw error;
  }
  try {
    const { size } = reader.stat(fd, path);
    if (size > limit)
      throw new CfsError('LIMIT', `${path} has ${size} bytes, more than ${limit}`, { path, size, limit });
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, Math.max(size, 1)));
    for (let at = 0; at < size;) {
      const length = readAt(fd, path, buffer, at, Math.min(buffer.length, size - at));
      if (length === 0) return;
      await sink.write(buffer.subarray(0, length));
      at += length;
    }
  } finally {
    closeSync(fd);
  }
}
