/**
 * Builds split streams in memory. Adjacent inline data becomes one chunk, each digest enters its table once, in order of first
 * use, and named refs are sorted by the bytes of their names. Everything is checked as it comes in: what `finish` returns,
 * `decodeSplitstream` accepts.
 */
import { CfsError } from '../bytes/errors.ts';
import { fromHex, isHex } from '../bytes/hex.ts';
import { viewOf } from '../bytes/struct.ts';
import { algorithms, header, info, LG_BLOCKSIZE, MAGIC, VERSION, type DigestAlgorithm } from './format.ts';
import { compress, compressInBackground } from './zstd.ts';

/** Digests in order of first use, each once. */
class DigestTable {
  readonly #indices = new Map<string, number>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  add(digest: string): number {
    const known = this.#indices.get(digest);
    if (known !== undefined) return known;
    if (!isHex(digest, this.#size)) {
      throw new CfsError('USAGE', `Invalid digest '${digest}': expected ${2 * this.#size} lower-case hex digits`);
    }
    const index = this.#indices.size;
    this.#indices.set(digest, index);
    return index;
  }

  encode(): Uint8Array {
    return fromHex([...this.#indices.keys()].join(''));
  }
}

export interface WriterOptions {
  readonly algorithm: DigestAlgorithm;
  /** One of `ContentType`, or any other 64-bit number. */
  readonly contentType: bigint;
}

export class SplitstreamWriter {
  readonly #options: WriterOptions;
  readonly #streamRefs: DigestTable;
  readonly #objectRefs: DigestTable;
  readonly #namedRefs = new Map<string, number>();
  /** Whole chunks. */
  readonly #chunks: Uint8Array[] = [];
  /** Inline data that may still grow. */
  #run: Uint8Array[] = [];
  #runSize = 0;
  #streamSize = 0;
  #compressed: Uint8Array | undefined;

  constructor(options: WriterOptions) {
    const { size } = algorithms[options.algorithm];
    this.#options = options;
    this.#streamRefs = new DigestTable(size);
    this.#objectRefs = new DigestTable(size);
  }

  /** Keeps the object alive with this stream, without its content being part of it. Gives its index. */
  addObjectRef(digest: string): number {
    return this.#objectRefs.add(digest);
  }

  /**
   * Lets this stream name, and keep alive, another stream or an image. A name set again points to the new digest.
   *
   * @throws CfsError USAGE for a name with a NUL, or that is not well-formed text.
   */
  addNamedRef(name: string, digest: string): void {
    if (name.includes('\0') || !name.isWellFormed()) {
      throw new CfsError('USAGE', `Invalid name of a stream ref: ${JSON.stringify(name)}`);
    }
    this.#namedRefs.set(name, this.#streamRefs.add(digest));
  }

  /** Appends inline data. The bytes are not copied: leave them alone until `finish`. */
  writeInline(data: Uint8Array): void {
    if (data.length === 0) return;
    this.#run.push(data);
    this.#runSize += data.length;
    this.#streamSize += data.length;
  }

  /** Appends the whole content of an object of `size` bytes. Gives its index. */
  writeExternal(digest: string, size: number): number {
    const index = this.#objectRefs.add(digest);
    this.#endRun();
    this.#chunks.push(instruction(index));
    this.#streamSize += size;
    return index;
  }

  #endRun(): void {
    if (this.#runSize === 0) return;
    this.#chunks.push(instruction(-this.#runSize));
    for (const piece of this.#run) this.#chunks.push(piece);
    this.#run = [];
    this.#runSize = 0;
  }

  /**
   * Ends the stream, and compresses it on another thread. Objects and refs may still be named meanwhile; `finish` comes when the
   * promise is fulfilled.
   */
  async compress(): Promise<void> {
    this.#endRun();
    this.#compressed = await compressInBackground(Buffer.concat(this.#chunks));
  }

  /** The file. Nothing may be added afterwards. */
  finish(): Uint8Array {
    this.#endRun();
    return assemble(this.#options, this.#streamSize, {
      streamRefs: this.#streamRefs.encode(),
      objectRefs: this.#objectRefs.encode(),
      namedRefs: encodeNamedRefs(this.#namedRefs),
      stream: this.#compressed ?? compress(Buffer.concat(this.#chunks)),
    });
  }
}

function instruction(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigInt64(0, BigInt(value), true);
  return bytes;
}

function encodeNamedRefs(refs: ReadonlyMap<string, number>): Uint8Array {
  const entries = [...refs]
    .map(([name, index]) => ({ name: Buffer.from(name), index }))
    .sort((a, b) => Buffer.compare(a.name, b.name))
    .map(({ name, index }) => Buffer.concat([Buffer.from(`${index}:`), name, Buffer.alloc(1)]));
  return compress(Buffer.concat(entries));
}

interface Sections {
  readonly streamRefs: Uint8Array;
  readonly objectRefs: Uint8Array;
  readonly namedRefs: Uint8Array;
  readonly stream: Uint8Array;
}

function assemble({ algorithm, contentType }: WriterOptions, streamSize: number, sections: Sections): Uint8Array {
  const streamRefs = header.size + info.size;
  const objectRefs = streamRefs + sections.streamRefs.length;
  const namedRefs = objectRefs + sections.objectRefs.length;
  const stream = namedRefs + sections.namedRefs.length;
  const end = stream + sections.stream.length;
  const file = new Uint8Array(end);
  header.write(viewOf(file), 0, {
    magic: MAGIC,
    version: VERSION,
    flags: 0,
    algorithm: algorithms[algorithm].number,
    lg_blocksize: LG_BLOCKSIZE,
    info_start: BigInt(header.size),
    info_end: BigInt(streamRefs),
  });
  info.write(viewOf(file), header.size, {
    stream_refs_start: BigInt(streamRefs),
    stream_refs_end: BigInt(objectRefs),
    object_refs_start: BigInt(objectRefs),
    object_refs_end: BigInt(namedRefs),
    stream_start: BigInt(stream),
    stream_end: BigInt(end),
    named_refs_start: BigInt(namedRefs),
    named_refs_end: BigInt(stream),
    content_type: contentType,
    stream_size: BigInt(streamSize),
  });
  file.set(sections.streamRefs, streamRefs);
  file.set(sections.objectRefs, objectRefs);
  file.set(sections.namedRefs, namedRefs);
  file.set(sections.stream, stream);
  return file;
}
