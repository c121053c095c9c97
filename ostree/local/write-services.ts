/** System calls and compression that Node lacks: whoever writes to a repository brings them, as readers bring theirs. */

/** Raw deflate (RFC 1951), one stream after another. */
export interface Deflater {
  /** Starts a new stream. */
  reset(): void;
  /** Compresses all of `input`, the last of the stream with `last`; what `emit` gets is only good until it returns. */
  push(input: Uint8Array, last: boolean, emit: (output: Uint8Array) => void): void;
}

/** What the threads that write files need. */
export interface FileServices {
  /** `name` is a byte string: one character per byte. A path is not followed if it is a symlink; a number is a descriptor. */
  setXattr(target: string | number, name: string, value: Uint8Array): void;
  /** Makes `to` share the blocks of all of `from`; false where the file systems cannot. */
  reflink(to: number, from: number): boolean;
  /** @param level of zlib, 1 to 9. */
  deflater(level: number): Deflater;
}

/** What writing to a repository as a whole needs besides. */
export interface RepositoryServices {
  /** Makes everything on the file system of this descriptor durable. */
  syncfs(fd: number): void;
  /** Takes a lock that belongs to the open file, as `ostree` takes them (F_OFD_SETLK); false if another has it. */
  tryLock(fd: number, kind: 'shared' | 'exclusive'): boolean;
}
