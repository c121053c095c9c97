/** Keeps a payload: in memory while it is small, then in a temporary file. */
import { writeSync } from 'node:fs';
import type { OpenBytes } from './byte-window.ts';
import type { Unpacked } from './decompressor.ts';

/** Bytes that are kept in memory: what makers put into a part by default. */
const MEMORY = 32 * 1024 * 1024;
const FIRST_MEMORY = 64 * 1024;
/** Bytes that are written to the file at a time. */
const PIECE = 256 * 1024;

/** Makes files that nobody else sees. */
export interface TemporaryFiles {
  /** A new file, open for reading and writing. */
  open(): OpenBytes;
  close(file: OpenBytes): void;
}

export class PayloadStore implements Unpacked {
  readonly #temporary: TemporaryFiles;
  readonly #first: number;
  /** What was written; or what is to be written next, once there is a file. */
  #memory: Buffer = Buffer.alloc(0);
  #file: OpenBytes | undefined;
  #size = 0;

  /** @param expected bytes: memory is taken at once, but only what is written to becomes real. */
  constructor(temporary: TemporaryFiles, expected: number) {
    this.#temporary = temporary;
    this.#first = Math.max(FIRST_MEMORY, Math.min(expected, MEMORY));
  }

  get size(): number {
    return this.#size;
  }

  /** What was written; it lives until `clear`. */
  get source(): Uint8Array | OpenBytes {
    return this.#file ?? this.#memory.subarray(0, this.#size);
  }

  room(): Uint8Array {
    if (this.#file !== undefined) return this.#memory;
    if (this.#size === MEMORY) {
      this.#file = this.#temporary.open();
      writeFully(this.#file.fd, this.#memory, 0);
      this.#memory = Buffer.allocUnsafeSlow(PIECE);
      return this.#memory;
    }
    if (this.#size === this.#memory.length) this.#grow();
    return this.#memory.subarray(this.#size);
  }

  took(length: number): void {
    if (this.#file !== undefined) writeFully(this.#file.fd, this.#memory.subarray(0, length), this.#size);
    this.#size += length;
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(MEMORY, Math.max(2 * this.#memory.length, this.#first)));
    this.#memory.copy(larger, 0, 0, this.#size);
    this.#memory = larger;
  }

  /** Forgets everything, and frees what it took. */
  clear(): void {
    if (this.#file !== undefined) this.#temporary.close(this.#file);
    this.#file = undefined;
    this.#memory = Buffer.alloc(0);
    this.#size = 0;
  }
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
