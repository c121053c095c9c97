/** An unnamed file that libostree's streams are spliced into: their bytes as JavaScript arrays would take 30 times as long. */
import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import gi, { type OutputStream, type Stream } from 'node-gtk';

const Gio = gi.require('Gio', '2.0');

export class Scratch {
  #directory = tmpdir();
  #file: { readonly fd: number; readonly stream: OutputStream } | undefined;

  moveTo(directory: string): void {
    this.#directory = directory;
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  /** Replaces what is in the file; gives how many bytes there are now. Frees `source`, also if it fails. */
  fill(source: Stream): number {
    try {
      this.#file ??= this.#make();
      ftruncateSync(this.#file.fd);
      return Number(this.#file.stream.splice(source, Gio.OutputStreamSpliceFlags.CLOSE_SOURCE, null));
    } finally {
      source.unref();
    }
  }

  read(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size);
    for (let done = 0; done < size;) {
      const count = readSync(this.#file!.fd, bytes, done, size - done, done);
      if (count === 0) throw new Error(`The temporary file ends after ${done} of ${size} bytes`);
      done += count;
    }
    return bytes;
  }

  /** Hands the file over to the caller, who closes it. */
  give(): number {
    const { fd } = this.#file!;
    this.#file = undefined;
    return fd;
  }

  #make(): { readonly fd: number; readonly stream: OutputStream } {
    const path = join(this.#directory, `.cfs-tmp-${randomUUID()}`);
    // Appending, a write begins at the start again once the file was emptied.
    const fd = openSync(path, 'ax+', 0o600);
    unlinkSync(path);
    return { fd, stream: Gio.UnixOutputStream.new(fd, false) };
  }
}
