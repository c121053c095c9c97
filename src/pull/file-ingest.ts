/**
 * One file object on its way into a composefs repository: inflated, verified against its OSTree checksum, measured with
 * fs-verity and written, piece by piece, so that each piece passes through all steps while it is in the processor's cache and
 * memory does not grow with the file.
 *
 * The stored bytes are pushed in, so that they may come from a file or from a network. Nothing gets a name in the repository
 * before the whole content was seen and both digests are known; a file that fails leaves nothing behind.
 */
import { writeSync } from 'node:fs';
import { FormatError, ChecksumError } from '../../bytes/errors.ts';
import { toHex } from '../../bytes/hex.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { toArchiveHeader } from '../../ostree/file-header.ts';
import { inlineLimit } from '../commit/content.ts';
import type { ObjectWriter } from '../repository/object-writer.ts';
import { ContentHash } from '../verity/content-hash.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import { Inflater } from './inflate.ts';
import { libdeflate } from './libdeflate.ts';

/** Uncompressed bytes handled at a time: a multiple of the fs-verity block, small enough for the L2 cache. */
const PIECE_SIZE = 256 * 1024;

/** Files of up to this size are inflated at once where that is faster. */
const WHOLE_SIZE = 8 * 1024 * 1024;

/** What is known of a file before its content. */
export interface FileStart {
  readonly checksum: OstreeChecksum;
  /** The sized header that the checksum covers. */
  readonly hashedHeader: Uint8Array;
  /** Declared size of the content; content of any other size is refused. 0 for a symlink. */
  readonly size: number;
  /** The pushed bytes are a raw deflate stream; else they are the content. */
  readonly deflated: boolean;
  /** An open O_TMPFILE of the object writer that holds the content already (a reflink): it is read, not written. */
  readonly clone?: number | undefined;
}

export interface IngestedFile {
  /** What the commit stream holds of the file: its archive header, then inline content. */
  readonly data: Uint8Array;
  /** Where larger content is stored. */
  readonly object: ObjectId | undefined;
  /** `inline`: no object; `present`: the repository had the object. */
  readonly how: 'inline' | 'written' | 'reflinked' | 'present';
}

export class FileIngest {
  readonly #writer: ObjectWriter;
  readonly #inlineLimit: number;
  readonly #inflater = new Inflater();
  readonly #hash: ContentHash;
  readonly #inflateWhole = libdeflate();
  readonly #small = Buffer.allocUnsafeSlow(PIECE_SIZE);
  /** For files that are inflated at once; grows. */
  #large: Buffer = this.#small;
  /** The content that is in memory: one of the two. */
  #piece: Buffer = this.#small;
  /** Bytes of the piece in use. */
  #used = 0;
  /** Bytes of content so far. */
  #total = 0;
  /** The end of the deflate stream was met; content that is not deflated has none. */
  #ended = false;
  #file: FileStart | undefined;
  #fd: number | undefined;
  readonly #onBytes: (bytes: number) => void;

  /** @param onBytes is told of content that went through all steps. */
  constructor(writer: ObjectWriter, algorithm: HashAlgorithm, onBytes: (bytes: number) => void) {
    this.#writer = writer;
    this.#onBytes = onBytes;
    this.#inlineLimit = inlineLimit(algorithm);
    this.#hash = new ContentHash(algorithm);
  }

  /** True if content of this size becomes an object. */
  isExternal(size: number): boolean {
    return size > this.#inlineLimit;
  }

  /** Begins a file; the one before has been finished or aborted. */
  start(file: FileStart): void {
    this.#file = file;
    this.#fd = file.clone;
    this.#piece = this.#small;
    this.#used = 0;
    this.#total = 0;
    this.#ended = !file.deflated;
    this.#hash.start(file.hashedHeader);
    if (file.deflated) this.#inflater.reset();
  }

  /**
   * The next stored bytes. They are used up when this returns.
   * @returns false once no more bytes are wanted, because the deflate stream has ended.
   * @throws FormatError as soon as the content is longer than declared, or is no deflate stream.
   */
  push(stored: Uint8Array): boolean {
    if (!this.#current().deflated) {
      for (let offset = 0; offset < stored.length;) {
        const length = Math.min(stored.length - offset, PIECE_SIZE - this.#used);
        this.#piece.set(stored.subarray(offset, offset + length), this.#used);
        offset += length;
        this.#advance(length);
      }
      return true;
    }
    this.#inflater.setInput(stored);
    for (;;) {
      const room = PIECE_SIZE - this.#used;
      const length = this.#inflate();
      this.#advance(length);
      this.#ended = this.#inflater.ended;
      if (this.#ended) return false;
      if (length < room) return true;
    }
  }

  /**
   * As `push` of plain content, which `read` puts where it is needed, and says how many bytes there were; none is the end.
   * @returns false at the end.
   */
  pushRead(read: (buffer: Uint8Array, offset: number, length: number) => number): boolean {
    const length = read(this.#piece, this.#used, PIECE_SIZE - this.#used);
    this.#advance(length);
    return length > 0;
  }

  /** True if it pays to give the file's stored bytes, so many, to `pushWhole`. */
  wantsWhole(storedSize: number): boolean {
    const { deflated, size } = this.#current();
    return deflated && this.#inflateWhole !== undefined && size > 0 && size <= WHOLE_SIZE && storedSize <= WHOLE_SIZE;
  }

  /** All stored bytes at once, in place of any `push`. False if that failed and they have to be pushed after all. */
  pushWhole(stored: Uint8Array): boolean {
    const { size } = this.#current();
    if (size > this.#large.length) this.#large = Buffer.allocUnsafeSlow(Math.min(WHOLE_SIZE, 2 * size));
    if (this.#inflateWhole?.(stored, this.#large, size) !== true) return false;
    this.#piece = this.#large;
    this.#used = size;
    this.#total = size;
    this.#ended = true;
    return true;
  }

  /**
   * Ends the file: compares the checksum, and stores the content unless it is inline.
   * @throws FormatError for content that is cut short, ChecksumError for content of another object.
   */
  finish(): IngestedFile {
    const file = this.#current();
    if (!this.#ended) throw this.#invalid('the deflate stream is cut short');
    if (this.#total !== file.size) throw this.#invalid(`${this.#total} bytes, but ${file.size} are declared`);
    this.#digestPiece();
    const { sha256, verity } = this.#hash.digest();
    const actual = toHex(sha256);
    if (actual !== file.checksum) throw new ChecksumError(`file object ${file.checksum}`, file.checksum, actual);

    this.#onBytes(this.#used);
    const header = toArchiveHeader(file.hashedHeader, file.size);
    if (!this.isExternal(file.size)) {
      this.abort();
      const data = new Uint8Array(header.length + this.#used);
      data.set(header);
      data.set(this.#piece.subarray(0, this.#used), header.length);
      return { data, object: undefined, how: 'inline' };
    }
    return { data: header, object: verity, how: this.#store(verity, file) };
  }

  /** Drops what was written of a file that is not to be finished. */
  abort(): void {
    if (this.#fd !== undefined) this.#writer.abort(this.#fd);
    this.#fd = undefined;
    this.#file = undefined;
  }

  #current(): FileStart {
    if (this.#file === undefined) throw new Error('no file was started');
    return this.#file;
  }

  #invalid(problem: string): FormatError {
    return new FormatError(`file object ${this.#current().checksum}`, 'content', problem);
  }

  #inflate(): number {
    try {
      return this.#inflater.read(this.#piece, this.#used, PIECE_SIZE);
    } catch (cause) {
      throw this.#invalid(`not a deflate stream (${(cause as Error).message})`);
    }
  }

  #advance(length: number): void {
    this.#used += length;
    this.#total += length;
    const { size } = this.#current();
    if (this.#total > size) throw this.#invalid(`longer than the declared ${size} bytes`);
    if (this.#used === PIECE_SIZE) this.#flush();
  }

  /** Gives what is in memory to both digests, in parts that stay in the cache from one to the other. */
  #digestPiece(): void {
    for (let offset = 0; offset < this.#used; offset += PIECE_SIZE) {
      const length = Math.min(PIECE_SIZE, this.#used - offset);
      this.#hash.update(this.#piece.subarray(offset, offset + length));
    }
  }

  #flush(): void {
    this.#digestPiece();
    this.#write();
    this.#onBytes(this.#used);
    this.#used = 0;
  }

  /** Writes the piece, unless the file holds it already; gives the file. */
  #write(): number {
    const fd = (this.#fd ??= this.#writer.begin());
    if (this.#current().clone === undefined) writeFully(fd, this.#piece, this.#used);
    return fd;
  }

  #store(object: ObjectId, file: FileStart): 'written' | 'reflinked' | 'present' {
    const untouched = this.#fd === undefined;
    if (untouched && this.#writer.has(object, file.size)) {
      this.#file = undefined;
      return 'present';
    }
    const fd = this.#write();
    this.#fd = undefined;
    this.#file = undefined;
    if (this.#writer.commit(fd, object, file.size) === 'present') return 'present';
    return file.clone === undefined ? 'written' : 'reflinked';
  }
}

function writeFully(fd: number, bytes: Uint8Array, length: number): void {
  for (let offset = 0; offset < length;) offset += writeSync(fd, bytes, offset, length - offset);
}
