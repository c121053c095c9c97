/**
 * Part files on their way in: hashed and decompressed as they arrive. The payload is kept in memory while it is small, then in a
 * temporary file, since its operations come last.
 *
 * How large a payload may be nobody says beforehand, and compression makes endless zeros of next to nothing. What its objects add up to,
 * as the superblock has it, is kept at once. One that is longer is read twice: first without keeping anything but its end, where the
 * operations are, which have to make use of all of it.
 */
import { createHash } from 'node:crypto';
import { CfsError, ChecksumError, FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { ByteWindow } from './byte-window.ts';
import { giveAll, type Decompressor, type OpenDecompressor, type Unpacked } from './decompressor.ts';
import { Compression, XZ_MEMORY_LIMIT } from './format.ts';
import type { DeltaPart } from './superblock.ts';
import { OperationReader, SOURCE_NAME_SIZE } from './operations.ts';
import { framePayload, Payload } from './payload.ts';
import { MAX_METADATA_SIZE } from '../object-type.ts';
import { PayloadStore, type TemporaryFiles } from './payload-store.ts';
import { Unpacker } from './unpacker.ts';

/** Takes a file, the next chunk once `write` has ended; `restart` says that it begins again. */
export interface PartSink {
  write(chunk: Uint8Array): void | Promise<void>;
  restart(): void;
}

/** Gives the bytes of the part file to a sink, from the beginning each time it is called. */
export type StreamPart = (sink: PartSink) => Promise<void>;

export interface PartServices {
  readonly decompressor: OpenDecompressor;
  readonly temporary: TemporaryFiles;
  /** Bytes that temporary files may take. */
  readonly room: () => number;
  /** Called again and again while a part is unpacked, which can take long of few bytes: lets others run. @throws to end it. */
  readonly pause?: () => Promise<void> | undefined;
}

/** What a payload may have beyond its objects: tables, names of sources, numbers of patches, operations. */
const OVERHEAD = 1024 * 1024;
/** The longest program that is read of a payload that is not kept. */
const TAIL = 16 * 1024 * 1024;

/**
 * Reads a part file.
 * @param format what messages call it.
 * @throws ChecksumError for another file, FormatError for one that is none; CfsError LIMIT, NO_SPACE; whatever `stream` throws.
 */
export async function readPart(
  part: Pick<DeltaPart, 'digest' | 'size' | 'unpackedSize' | 'objects'>,
  format: string,
  stream: StreamPart,
  services: PartServices,
): Promise<OpenPayload> {
  const room = services.room();
  const first = await tryKeeping(part, format, stream, services, Math.min(part.unpackedSize + OVERHEAD, room));
  if (first !== undefined) return first;
  const size = await measure(part, format, stream, services, room);
  const second = await tryKeeping(part, format, stream, services, size);
  if (second === undefined) throw new CfsError('CORRUPT', `${format} changed while it was read`);
  return second;
}

/** A payload, and what it takes. */
export interface OpenPayload extends Disposable {
  readonly payload: Payload;
}

/** Undefined for a payload of more than `limit` bytes. */
async function tryKeeping(
  part: Pick<DeltaPart, 'digest' | 'size'>,
  format: string,
  stream: StreamPart,
  services: PartServices,
  limit: number,
): Promise<OpenPayload | undefined> {
  const store = new PayloadStore(services.temporary, limit);
  try {
    using file = new PartFile(part, format, services, {
      room: () => store.room(),
      took(length) {
        if (store.size + length > limit) throw new TooLong();
        store.took(length);
      },
      restart: () => store.clear(),
    });
    await stream(file);
    await file.end();
    const payload = new Payload(store.source, store.size, format);
    return { payload, [Symbol.dispose]: () => store.clear() };
  } catch (error) {
    store.clear();
    if (error instanceof TooLong) return undefined;
    throw error;
  }
}

class TooLong extends Error {}

/** The size of a payload, all of which its operations make use of. */
async function measure(
  part: Pick<DeltaPart, 'digest' | 'size' | 'objects'>,
  format: string,
  stream: StreamPart,
  services: PartServices,
  room: number,
): Promise<number> {
  const end = new Tail();
  using file = new PartFile(part, format, services, {
    room: () => end.room(),
    took(length) {
      end.took(length);
      if (end.size > room) {
        const facts = { size: end.size, room };
        throw new CfsError('NO_SPACE', `Cannot unpack ${format}: more than the ${room} bytes that are free`, facts);
      }
    },
    restart: () => end.clear(),
  });
  await stream(file);
  await file.end();
  const tail = end.bytes;
  const before = end.size - tail.length;
  const [, tablesEnd = 0, blobEnd = 0, operationsEnd = 0] = framePayload(
    new ByteWindow(tail, 0, tail.length),
    before,
    format,
  );
  if (blobEnd < before || tablesEnd > MAX_METADATA_SIZE) {
    const facts = { operations: operationsEnd - blobEnd, tables: tablesEnd };
    throw new CfsError('LIMIT', `Cannot unpack ${format}: operations or tables are too large`, facts);
  }
  const operations = new ByteWindow(tail, blobEnd - before, operationsEnd - blobEnd);
  const blob = { size: blobEnd - tablesEnd };
  const used = usedBytes(new OperationReader({ operations, blob, format }, part.objects));
  if (used < blob.size) {
    throw new FormatError(format, 'blob', `${blob.size} bytes, of which operations use no more than ${used}`);
  }
  return end.size;
}

/** Bytes of the blob that the operations make use of, those used twice counted twice. */
function usedBytes(operations: OperationReader): number {
  let used = 0;
  for (let next = operations.next(); next !== undefined; next = operations.next()) {
    if (next.op === 'set read source') used += SOURCE_NAME_SIZE;
    else if ('length' in next && !(next.op === 'write' && next.fromSource)) used += next.length;
  }
  return used;
}

/** The last bytes of what is written. */
class Tail implements Unpacked {
  size = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;

  room(): Uint8Array {
    if (this.#buffer.length === 0) this.#buffer = Buffer.allocUnsafeSlow(2 * TAIL);
    if (this.#used === this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#used - TAIL, this.#used);
      this.#used = TAIL;
    }
    return this.#buffer.subarray(this.#used);
  }

  took(length: number): void {
    this.size += length;
    this.#used += length;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#used);
  }

  clear(): void {
    this.size = 0;
    this.#used = 0;
  }
}

/** Takes a payload, from the beginning after `restart`. */
interface PayloadSink extends Unpacked {
  restart(): void;
}

/** A part file that arrives: its size, its digest, its compression. */
class PartFile implements PartSink, Disposable {
  readonly #part: Pick<DeltaPart, 'digest' | 'size'>;
  readonly #format: string;
  readonly #services: PartServices;
  readonly #payload: PayloadSink;
  #hash = createHash('sha256');
  #size = 0;
  #unpacker: Unpacker | undefined;
  #isComplete = false;

  constructor(part: Pick<DeltaPart, 'digest' | 'size'>, format: string, services: PartServices, payload: PayloadSink) {
    this.#part = part;
    this.#format = format;
    this.#services = services;
    this.#payload = payload;
  }

  /** With the last byte, the file is checked. */
  write(chunk: Uint8Array): void | Promise<void> {
    if (chunk.length === 0) return;
    const first = this.#size === 0;
    this.#size += chunk.length;
    const { size } = this.#part;
    if (this.#size > size) throw new FormatError(this.#format, 'size', `exceeded maximum size of ${size} bytes`, size);
    this.#hash.update(chunk);
    const { pause } = this.#services;
    if (first) this.#unpacker = new Unpacker(this.#decompressorFor(chunk[0]!), this.#payload, this.#format, pause);
    const busy = this.#unpacker!.push(first ? chunk.subarray(1) : chunk);
    return this.#size === size ? this.end() : busy;
  }

  restart(): void {
    this[Symbol.dispose]();
    this.#hash = createHash('sha256');
    this.#size = 0;
    this.#payload.restart();
  }

  /** Says that all of it has come. */
  async end(): Promise<void> {
    if (this.#isComplete) return;
    const actual = this.#hash.digest('hex') as OstreeChecksum;
    if (actual !== this.#part.digest) throw new ChecksumError(this.#format, this.#part.digest, actual);
    if (this.#unpacker === undefined) throw new FormatError(this.#format, 'compression', 'an empty file');
    await this.#unpacker.end();
    this.#isComplete = true;
  }

  #decompressorFor(compression: number): Decompressor {
    if (compression === Compression.none) return plain;
    if (compression === Compression.xz) return this.#services.decompressor(XZ_MEMORY_LIMIT);
    throw new FormatError(this.#format, 'compression', `Invalid compression type '${compression}'`, 0);
  }

  [Symbol.dispose](): void {
    this.#unpacker?.[Symbol.dispose]();
    this.#unpacker = undefined;
  }
}

const plain: Decompressor = {
  step: Infinity,
  push: giveAll,
  end: () => undefined,
  [Symbol.dispose]: () => undefined,
};
