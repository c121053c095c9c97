/**
 * One static delta in files, as a source of its commit and of nothing else: a folder with `superblock` and parts, or the superblock
 * alone with its parts inside or beside it.
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { streamFile } from '../local/deltas.ts';
import { FileReader } from '../local/file-reader.ts';
import { objectName, type ObjectType } from '../object-type.ts';
import type { DeltaSourceDescription, Source } from '../source.ts';
import { MAX_SUPERBLOCK_SIZE } from './format.ts';
import type { DeltaSource } from './source.ts';
import { decodeSuperblock, type Superblock } from './superblock.ts';

export class DeltaFileSource implements Source {
  readonly location: string;
  readonly concurrency = 1;
  readonly superblock: Superblock;
  readonly deltas: DeltaSource;

  /** Reads the superblock at `path`, or in the folder `path`. @throws NotFoundError, FormatError, ChecksumError */
  constructor(path: string) {
    this.location = path;
    const reader = new FileReader();
    const file = superblockFile(path);
    const bytes = reader.readWhole(file, MAX_SUPERBLOCK_SIZE);
    if (bytes === undefined) throw new NotFoundError(`There is no static delta at ${path}`, { path });
    this.superblock = decodeSuperblock(bytes);
    const { from, to } = this.superblock;
    this.deltas = {
      listDeltas: () => Promise.resolve([{ from, to, superblock: undefined }]),
      readSuperblock: () => Promise.resolve(bytes),
      streamPart(_, index, limit, sink) {
        return streamFile(reader, join(dirname(file), `${index}`), limit, sink);
      },
    };
  }

  /** The commit that the delta leads to, whatever it is called. */
  resolveRef(): Promise<OstreeChecksum> {
    return Promise.resolve(this.superblock.to);
  }

  listRefs(): Promise<ReadonlyMap<string, OstreeChecksum>> {
    return Promise.resolve(new Map());
  }

  readObject(type: ObjectType, checksum: OstreeChecksum): never {
    throw this.#missing(type, checksum);
  }

  openFile(checksum: OstreeChecksum): never {
    throw this.#missing('file', checksum);
  }

  #missing(type: ObjectType, checksum: OstreeChecksum): NotFoundError {
    const { name } = this.superblock;
    const problem = `Delta ${name} does not make object ${objectName(type, checksum)}, and it is not stored either`;
    return new NotFoundError(problem, { checksum, type, delta: name });
  }

  describe(): DeltaSourceDescription {
    return { kind: 'delta', path: this.location };
  }

  /** Nothing is held open between calls. */
  close(): void {}

  [Symbol.dispose](): void {
    this.close();
  }
}

function superblockFile(path: string): string {
  try {
    return statSync(path).isDirectory() ? join(path, 'superblock') : path;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new NotFoundError(`There is no static delta at ${path}`, { path }, error);
  }
}
