/**
 * Where an image is written: stdout, or a file that gets its name, in place of what had it, when it is complete. What is no
 * regular file (a device, a named pipe) is written to as it is.
 */
import { once } from 'node:events';
import {
  closeSync,
  constants,
  fchmodSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode } from '../../../bytes/errors.ts';
import { SystemError } from '../../linux/errno.ts';
import { currentUmask, linkOpenFile, O_TMPFILE } from '../../linux/files.ts';
import { temporaryName } from '../../repository/layout.ts';

export interface ImageOutput extends Disposable {
  /** A promise from a pipe whose reader is slow. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** The image is complete. Without it, disposing leaves nothing behind. */
  commit(): void;
}

/** @throws errors of the system; Error for a terminal. */
export function openOutput(path: string): ImageOutput {
  if (path === '-') return standardOutput();
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) return inPlace(path);
  const target = there === undefined ? path : realpathSync(path);
  return new FileOutput(target, there === undefined ? 0o666 & ~currentUmask() : there.mode & 0o7777);
}

function standardOutput(): ImageOutput {
  if (process.stdout.isTTY) throw new Error('stdout is a tty.  Refusing to use it');
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
  };
  return { write, commit: () => undefined, [Symbol.dispose]: () => undefined };
}

function inPlace(path: string): ImageOutput {
  const fd = openSync(path, constants.O_WRONLY);
  return { write: (bytes) => writeFully(fd, bytes), commit: () => undefined, [Symbol.dispose]: () => closeSync(fd) };
}

class FileOutput implements ImageOutput {
  readonly #target: string;
  readonly #temporary: string;
  readonly #directory: number;
  readonly #fd: number;
  /** The file has the temporary name. */
  #named = false;

  constructor(target: string, mode: number) {
    this.#target = target;
    const folder = dirname(target);
    // Never that of a run that was killed, as one with the same process number could be.
    this.#temporary = temporaryName('.cfs-image-');
    this.#directory = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      this.#fd = this.#open(folder);
      fchmodSync(this.#fd, mode);
    } catch (error) {
      closeSync(this.#directory);
      throw error;
    }
  }

  #open(folder: string): number {
    try {
      return openSync(folder, O_TMPFILE | constants.O_WRONLY, 0o600);
    } catch (error) {
      if (!hasCode(error, 'ENOTSUP', 'EISDIR', 'EINVAL')) throw error;
      const fd = openSync(join(folder, this.#temporary), 'wx', 0o600);
      this.#named = true;
      return fd;
    }
  }

  write(bytes: Uint8Array): void {
    writeFully(this.#fd, bytes);
  }

  commit(): void {
    const errno = this.#named ? 0 : linkOpenFile(this.#fd, this.#directory, this.#temporary);
    if (errno !== 0) throw new SystemError(errno, 'linkat', this.#temporary);
    this.#named = true;
    renameSync(join(dirname(this.#target), this.#temporary), this.#target);
    this.#named = false;
  }

  [Symbol.dispose](): void {
    if (this.#named) unlinkSync(join(dirname(this.#target), this.#temporary));
    closeSync(this.#fd);
    closeSync(this.#directory);
  }
}

function writeFully(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
}
