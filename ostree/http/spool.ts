/**
 * A `.filez` object on its way from a server: held in memory while it is small, then in an unnamed temporary file. Its header
 * says how much may follow, so that a body without end is refused before it costs memory, disk or time.
 */
import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import {
  decodeSizedHeader,
  type FileHeader,
  HEADER_PREFIX_SIZE,
  isSymlinkMode,
  sizedHeaderLength,
  type SizedHeader,
} from '../file-header.ts';
import { OpenFile } from '../local/open-file.ts';
import type { FileContent } from '../source.ts';
import { openUnnamed } from '../unnamed-file.ts';
import type { Sink } from './fetch.ts';
import type { Slabs } from './slabs.ts';

/** Bytes of an object that are held in memory, if its header is not longer. */
const MEMORY = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** More than deflate makes of so many bytes that it cannot compress. */
function mostDeflated(size: number): number {
  return size + Math.ceil(size / 1000) + 1024;
}

export class FileSpool implements Sink {
  readonly #checksum: OstreeChecksum;
  readonly #slabs: Slabs;
  readonly #directory: string | undefined;
  /** What was received, as long as that is in memory: the one chunk that came so far, or a slab with several. */
  #memory: Buffer = NOTHING;
  #slab: Buffer | undefined;
  /** Bytes received so far. */
  #received = 0;
  #header: SizedHeader | undefined;
  /** Bytes that the object may have. */
  #most = Infinity;
  #fd: number | undefined;
  #spilled = false;

  /** @param directory where the temporary file lies, by default where the system has such. */
  constructor(checksum: OstreeChecksum, slabs: Slabs, directory?: string) {
    this.#checksum = checksum;
    this.#directory = directory;
    this.#slabs = slabs;
  }

  /** @throws FormatError as soon as the header is bad, or more follows than its size allows; I/O errors of the temporary file. */
  write(chunk: Uint8Array): void {
    const total = this.#received + chunk.length;
    if (total > this.#most) throw this.#tooLong();
    if (!this.#spilled && total > MEMORY && this.#header !== undefined) this.#spill();
    if (this.#spilled) {
      writeFully(this.#fd!, chunk, this.#received);
      this.#received = total;
      return;
    }
    if (this.#received === 0) this.#memory = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    else this.#append(chunk, total);
    this.#received = total;
    if (this.#header === undefined) this.#readHeader();
  }

  #append(chunk: Uint8Array, total: number): void {
    if (total > (this.#slab?.length ?? 0)) {
      const larger = this.#slabs.take(total);
      this.#memory.copy(larger, 0, 0, this.#received);
      this.#freeSlab();
      this.#slab = this.#memory = larger;
    }
    this.#memory.set(chunk, this.#received);
  }

  #freeSlab(): void {
    if (this.#slab !== undefined) this.#slabs.give(this.#slab);
    this.#slab = undefined;
  }

  #readHeader(): void {
    const bytes = this.#memory.subarray(0, this.#received);
    if (bytes.length < HEADER_PREFIX_SIZE) return;
    const length = sizedHeaderLength(bytes, Infinity, this.#checksum);
    if (bytes.length < length) return;
    this.#header = decodeSizedHeader(bytes, this.#checksum, Infinity);
    const { header, size } = this.#header;
    this.#most = length + (isSymlinkMode(header.mode) ? 0 : mostDeflated(size));
    if (this.#received > this.#most) throw this.#tooLong();
  }

  #forget(): void {
    this.#freeSlab();
    this.#memory = NOTHING;
  }

  #tooLong(): FormatError {
    const { header, size, length } = this.#header!;
    const problem = isSymlinkMode(header.mode)
      ? 'a symlink has content'
      : `more than ${this.#most - length} stored bytes for a declared size of ${size}`;
    return new FormatError(`file ${this.#checksum}`, 'content', problem, length);
  }

  #spill(): void {
    this.#fd ??= openUnnamed(this.#directory ?? tmpdir());
    writeFully(this.#fd, this.#memory.subarray(0, this.#received), 0);
    this.#forget();
    this.#spilled = true;
  }

  restart(): void {
    if (this.#fd !== undefined) ftruncateSync(this.#fd);
    this.#forget();
    this.#spilled = false;
    this.#received = 0;
    this.#header = undefined;
    this.#most = Infinity;
  }

  /** @throws FormatError if all that has come is shorter than its header. */
  verify(): void {
    this.#header ??= decodeSizedHeader(this.#memory.subarray(0, this.#received), this.#checksum);
  }

  /** The object, all of which has come and was verified. It owns the temporary file. */
  finish(): OpenFile {
    const { header, size, length, hashedHeader } = this.#header!;
    if (isSymlinkMode(header.mode)) return new OpenFile(header, 0, hashedHeader, { kind: 'none' });
    const fd = this.#spilled ? this.#fd! : -1;
    if (this.#spilled) this.#fd = undefined;
    const slab = this.#slab;
    this.#slab = undefined;
    const content = {
      kind: 'file',
      fd,
      offset: length,
      storedSize: this.#received - length,
      deflated: true,
      head: this.#spilled ? NOTHING : this.#memory.subarray(length, this.#received),
      complete: !this.#spilled,
    } as const;
    return new SpooledFile(header, size, hashedHeader, content, slab, this.#slabs);
  }

  /** Frees what `finish` did not hand on. */
  close(): void {
    this.#forget();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** Gives its slab back when it is closed. */
class SpooledFile extends OpenFile {
  readonly #slabs: Slabs;
  #slab: Buffer | undefined;

  constructor(
    header: FileHeader,
    size: number,
    hashedHeader: Uint8Array,
    content: FileContent,
    slab: Buffer | undefined,
    slabs: Slabs,
  ) {
    super(header, size, hashedHeader, content);
    this.#slabs = slabs;
    this.#slab = slab;
  }

  override close(): void {
    super.close();
    if (this.#slab !== undefined) this.#slabs.give(this.#slab);
    this.#slab = undefined;
  }
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
