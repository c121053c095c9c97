/** Bytes in memory or in a file, read by range: of a file, no more than a window is in memory. */
import { readAt } from '../local/file-reader.ts';
import { CfsError } from '../../bytes/errors.ts';

/** Bytes that one request may ask for, but of a source in memory. */
export const WINDOW_SIZE = 256 * 1024;

/** A file by its descriptor, which somebody else closes. */
export interface OpenBytes {
  readonly fd: number;
  /** For messages. */
  readonly path: string;
}

export class ByteWindow {
  readonly size: number;
  readonly #source: Uint8Array | OpenBytes;
  /** Where in the source the bytes begin. */
  readonly #start: number;
  #window: Uint8Array | undefined;
  /** What of the bytes the window holds. */
  #at = 0;
  #end = 0;
  /** Bytes that were read from the file. */
  #read = 0;

  /**
   * Bytes `start`…`start + size` of the source, which has them.
   * @param memory of `WINDOW_SIZE` at least, for a file, that nobody else uses as long as this window is in use. A file that fits is
   * read into it once a good part of it was read in windows, here and there.
   */
  constructor(source: Uint8Array | OpenBytes, start: number, size: number, memory?: Uint8Array) {
    this.#source = source;
    this.#start = start;
    this.size = size;
    this.#window = memory;
  }

  /** Some of the bytes as a view that lives until the next call. @throws RangeError out of bounds, or for too many at once. */
  bytes(at: number, length: number): Uint8Array {
    if (at < 0 || length < 0 || at + length > this.size) throw new RangeError('outside the bytes');
    if (this.#source instanceof Uint8Array) return this.#source.subarray(this.#start + at, this.#start + at + length);
    if (length > WINDOW_SIZE) throw new RangeError('more than a window');
    if (at < this.#at || at + length > this.#end) this.#move(this.#source, at);
    return this.#window!.subarray(at - this.#at, at - this.#at + length);
  }

  /** The bytes as memory of their own, however many. */
  copy(at: number, length: number): Uint8Array {
    const copy = new Uint8Array(length);
    for (let done = 0; done < length; done += WINDOW_SIZE) {
      copy.set(this.bytes(at + done, Math.min(WINDOW_SIZE, length - done)), done);
    }
    return copy;
  }

  #move({ fd, path }: OpenBytes, at: number): void {
    this.#window ??= Buffer.allocUnsafeSlow(Math.min(WINDOW_SIZE, this.size));
    const isWhole = this.size <= this.#window.length && this.size <= 4 * this.#read && at !== this.#end;
    const start = isWhole ? 0 : at;
    const wanted = isWhole ? this.size : Math.min(WINDOW_SIZE, this.size - at);
    // A file that is shorter than it was shows as a wrong checksum of what is made of it, so it may as well be told here.
    const length = readAt(fd, path, this.#window, this.#start + start, wanted);
    if (length < wanted) throw new CfsError('CORRUPT', `${path} became shorter while it was read`, { path });
    this.#read += length;
    this.#at = start;
    this.#end = start + length;
  }
}
