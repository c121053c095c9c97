/**
 * A `.filez` object on its way from a server: held in memory while it is small, then in an unnamed temporary file. Its header
 * says how much may follow, so that a body without end is refused before it costs memory, disk or time.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import {
  decodeSizedHeader,
  HEADER_PREFIX_SIZE,
  isSymlinkMode,
  sizedHeaderLength,
  type SizedHeader,
} from '../file-header.ts';
import { OpenFile } from '../local/open-file.ts';
import type { Sink } from './fetch.ts';

/** Bytes of an object that are held in memory, if its header is not longer. */
const MEMORY = 1024 * 1024;
const FIRST_MEMORY = 16 * 1024;

/** More than deflate makes of so many bytes that it cannot compress. */
function mostDeflated(size: number): number {
  return size + Math.ceil(size / 1000) + 1024;
}

export class FileSpool implements Sink {
  readonly #checksum: OstreeChecksum;
  #memory: Buffer = Buffer.allocUnsafeSlow(FIRST_MEMORY);
  /** Bytes received so far. */
  #received = 0;
  #header: SizedHeader | undefined;
  /** Bytes that the object may have. */
  #most = Infinity;
  #fd: number | undefined;
  #spilled = false;

  constructor(checksum: OstreeChecksum) {
    this.#checksum = checksum;
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
    if (total > this.#memory.length) this.#grow(total);
    this.#memory.set(chunk, this.#received);
    this.#received = total;
    if (this.#header === undefined) this.#readHeader();
  }

  /** As much more memory again, so that bytes that come one by one are not copied each time. */
  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#memory.length));
    this.#memory.copy(larger, 0, 0, this.#received);
    this.#memory = larger;
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

  #tooLong(): FormatError {
    const { header, size, length } = this.#header!;
    const problem = isSymlinkMode(header.mode)
      ? 'a symlink has content'
      : `more than ${this.#most - length} stored bytes for a declared size of ${size}`;
    return new FormatError(`file ${this.#checksum}`, 'content', problem, length);
  }

  #spill(): void {
    this.#fd ??= openUnnamed();
    writeFully(this.#fd, this.#memory.subarray(0, this.#received), 0);
    this.#memory = Buffer.alloc(0);
    this.#spilled = true;
  }

  restart(): void {
    if (this.#fd !== undefined) ftruncateSync(this.#fd);
    if (this.#spilled) this.#memory = Buffer.allocUnsafeSlow(FIRST_MEMORY);
    this.#spilled = false;
    this.#received = 0;
    this.#header = undefined;
    this.#most = Infinity;
  }

  /** The object, all of which has come. It owns the temporary file. @throws FormatError if it is shorter than its header. */
  finish(): OpenFile {
    if (this.#header === undefined)
      this.#header = decodeSizedHeader(this.#memory.subarray(0, this.#received), this.#checksum);
    const { header, size, length, hashedHeader } = this.#header;
    if (isSymlinkMode(header.mode)) return new OpenFile(header, 0, hashedHeader, { kind: 'none' });
    const fd = this.#spilled ? this.#fd! : -1;
    if (this.#spilled) this.#fd = undefined;
    return new OpenFile(header, size, hashedHeader, {
      kind: 'file',
      fd,
      offset: length,
      storedSize: this.#received - length,
      deflated: true,
      head: this.#spilled ? this.#memory : this.#memory.subarray(length, this.#received),
      complete: !this.#spilled,
    });
  }

  /** Frees what `finish` did not hand on. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function openUnnamed(): number {
  const path = join(tmpdir(), `.cfs-spool-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
