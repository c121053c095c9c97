/** Contents of stored files, each compared with the OSTree checksum that it is stored by. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { ChecksumError, FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { Piece } from '../../ostree/delta/make/part-builder.ts';
import { decodeSizedHeader, type FileHeader } from '../../ostree/file-header.ts';
import type { StoredObject } from '../commit/content.ts';
import { openObject, type ObjectStore } from '../repository/objects.ts';

const CHUNK_SIZE = 256 * 1024;

export class StoredContent {
  readonly checksum: OstreeChecksum;
  readonly header: FileHeader;
  /** Bytes of the content. */
  readonly size: number;
  readonly #store: ObjectStore;
  readonly #stored: StoredObject;
  readonly #hashedHeader: Uint8Array;
  readonly #inline: Uint8Array;

  /** @throws FormatError */
  constructor(store: ObjectStore, checksum: OstreeChecksum, stored: StoredObject) {
    const { header, size, length, hashedHeader } = decodeSizedHeader(stored.data, checksum);
    this.checksum = checksum;
    this.header = header;
    this.size = size;
    this.#store = store;
    this.#stored = stored;
    this.#hashedHeader = hashedHeader;
    this.#inline = stored.data.subarray(length);
  }

  /** All of it in memory. @throws as `chunks` */
  read(): Uint8Array {
    const content = new Uint8Array(this.size);
    let at = 0;
    for (const chunk of this.chunks()) {
      content.set(chunk, at);
      at += chunk.length;
    }
    return content;
  }

  /** All of it, in chunks that are overwritten by the next. */
  get piece(): Piece {
    return { length: this.size, chunks: () => this.chunks() };
  }

  /**
   * All of it from the start to the end, verified once the end is reached.
   * @throws NotFoundError, ChecksumError; FormatError for another size than declared.
   */
  *chunks(): Generator<Uint8Array, void, undefined> {
    const hash = createHash('sha256').update(this.#hashedHeader);
    for (const chunk of this.#range(0, this.size)) {
      hash.update(chunk);
      yield chunk;
    }
    const actual = hash.digest('hex');
    if (actual !== this.checksum) throw new ChecksumError(`file object ${this.checksum}`, this.checksum, actual);
  }

  /** A part of it, not verified. */
  part(start: number, length: number): Piece {
    return { length, chunks: () => this.#range(start, length) };
  }

  *#range(start: number, length: number): Generator<Uint8Array, void, undefined> {
    const { object } = this.#stored;
    if (object === undefined) {
      this.#checkSize(this.#inline.length);
      yield this.#inline.subarray(start, start + length);
      return;
    }
    const fd = openObject(this.#store, object);
    try {
      this.#checkSize(fstatSync(fd).size);
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_SIZE, length));
      for (let at = 0; at < length;) {
        const count = readSync(fd, buffer, 0, Math.min(buffer.length, length - at), start + at);
        if (count === 0) throw this.#wrongSize(start + at);
        yield buffer.subarray(0, count);
        at += count;
      }
    } finally {
      closeSync(fd);
    }
  }

  #checkSize(actual: number): void {
    if (actual !== this.size) throw this.#wrongSize(actual);
  }

  #wrongSize(actual: number): FormatError {
    return new FormatError(`stored file ${this.checksum}`, 'content', `${actual} bytes, but ${this.size} are declared`);
  }
}
