/** The content of a file object on its way into a repository: read once, hashed, and given to whoever stores it. */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { ChecksumError, CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import type { FileHeader } from '../file-header.ts';

/** A file object to be written. */
export interface NewFile {
  readonly checksum: OstreeChecksum;
  readonly header: FileHeader;
  /** The sized header that the checksum covers. */
  readonly hashedHeader: Uint8Array;
  /** Bytes of content; 0 for a symlink. */
  readonly size: number;
  /** The content, or a descriptor of a file that holds nothing else. */
  readonly content: Uint8Array | number;
}

const PIECE_SIZE = 256 * 1024;

export class ContentPieces {
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE_SIZE);

  /**
   * Gives the content piece by piece, at least one, each good until the next call.
   * @throws ChecksumError after the last piece if header and content have another checksum; CfsError CORRUPT for another size.
   */
  pass({ checksum, hashedHeader, size, content }: NewFile, take: (piece: Uint8Array, last: boolean) => void): void {
    const hash = createHash('sha256').update(hashedHeader);
    let done = 0;
    do {
      const piece = typeof content === 'number' ? this.#read(content, done, size, checksum) : content;
      done += piece.length;
      hash.update(piece);
      take(piece, done >= size);
    } while (done < size);
    if (done !== size || (typeof content === 'number' && this.#hasMore(content, size))) throw wrongSize(checksum, size);
    const actual = hash.digest('hex');
    if (actual !== checksum) throw new ChecksumError(`file object ${checksum}`, checksum, actual);
  }

  #read(fd: number, position: number, size: number, checksum: OstreeChecksum): Uint8Array {
    const wanted = Math.min(PIECE_SIZE, size - position);
    const length = readSync(fd, this.#buffer, 0, wanted, position);
    if (length === 0 && wanted > 0) throw wrongSize(checksum, size);
    return this.#buffer.subarray(0, length);
  }

  #hasMore(fd: number, size: number): boolean {
    return readSync(fd, this.#buffer, 0, 1, size) > 0;
  }
}

function wrongSize(checksum: OstreeChecksum, size: number): CfsError {
  return new CfsError('CORRUPT', `The content of file object ${checksum} does not have its ${size} bytes`, {
    object: checksum,
    size,
  });
}
