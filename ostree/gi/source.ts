/**
 * A repository as libostree reads it. Each thread that opens one has a process of its own, which answers one question at a time: so
 * nothing is on its way but what somebody waits for.
 */
import { closeSync } from 'node:fs';
import { CfsError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { decodeHashedHeader, isSymlinkMode, sizedHeaderLength } from '../file-header.ts';
import { readAt } from '../local/file-reader.ts';
import { OpenFile } from '../local/open-file.ts';
import { MAX_METADATA_SIZE, objectName, objectNumbers, type MetadataType } from '../object-type.ts';
import { parseRefspec } from '../ref.ts';
import type { FileObject, LibostreeSourceDescription, Source } from '../source.ts';
import { Libostree } from './libostree.ts';
import { INLINE_SIZE } from './server/protocol.ts';

/** The bytes of an object: all of them, or the first and a descriptor for the rest. */
interface LoadedObject {
  readonly size: number;
  readonly partial: boolean;
  readonly head: Uint8Array;
  readonly fd: number;
}

export class LibostreeSource implements Source {
  readonly location: string;
  readonly concurrency = 1;
  /** For what only libostree can be asked. */
  readonly libostree: Libostree;
  #description: LibostreeSourceDescription;

  private constructor(libostree: Libostree, description: LibostreeSourceDescription) {
    this.libostree = libostree;
    this.location = description.path;
    this.#description = description;
  }

  /** @throws UnsupportedError where libostree is not set up; NotFoundError for no repository, CfsError. */
  static async open({ path, spool }: Omit<LibostreeSourceDescription, 'kind'>): Promise<LibostreeSource> {
    const libostree = await Libostree.start();
    try {
      await libostree.call('open', { path });
      const source = new LibostreeSource(libostree, { kind: 'libostree', path });
      if (spool !== undefined) source.spoolIn(spool);
      return source;
    } catch (error) {
      libostree.close();
      throw error;
    }
  }

  async resolveRef(rev: string, signal?: AbortSignal): Promise<OstreeChecksum> {
    const name = rev.replace(/\^+$/, '');
    // libostree takes any text for a name.
    if (!/^[0-9a-f]{1,64}$/.test(name)) parseRefspec(name);
    try {
      const { result } = await this.libostree.call('resolve', { rev }, { signal });
      return result as OstreeChecksum;
    } catch (error) {
      throw this.#located(error, { refspec: name });
    }
  }

  /** Those of `refs/heads` and `refs/remotes`. */
  async listRefs(signal?: AbortSignal): Promise<ReadonlyMap<string, OstreeChecksum>> {
    const { result } = await this.libostree.call('refs', {}, { signal });
    return new Map(Object.entries(result) as [string, OstreeChecksum][]);
  }

  async readObject(type: MetadataType, checksum: OstreeChecksum, signal?: AbortSignal): Promise<Uint8Array> {
    const { size, partial, head, fd } = await this.#load(type, checksum, signal);
    using held = new Held(fd);
    if (partial) {
      const problem = `Commit ${checksum} is only partly in ${this.location}: its pull was not finished`;
      throw new CfsError('PARTIAL', problem, { checksum, repository: this.location });
    }
    if (size > MAX_METADATA_SIZE) {
      const problem = `${objectName(type, checksum)} in ${this.location} has ${size} bytes, the most is ${MAX_METADATA_SIZE}`;
      throw new CfsError('LIMIT', problem, { checksum, type, size });
    }
    return held.fd === -1 ? head : readFirst(held.fd, size);
  }

  async openFile(checksum: OstreeChecksum, signal?: AbortSignal): Promise<FileObject> {
    const { size, head, fd } = await this.#load('file', checksum, signal);
    using held = new Held(fd);
    let bytes = held.fd === -1 ? head : readFirst(held.fd, INLINE_SIZE);
    const length = sizedHeaderLength(bytes, size, checksum);
    if (length > bytes.length) bytes = readFirst(held.fd, length);
    const hashedHeader = Uint8Array.from(bytes.subarray(0, length));
    const header = decodeHashedHeader(hashedHeader, checksum);
    if (isSymlinkMode(header.mode)) return new OpenFile(header, 0, hashedHeader, { kind: 'none' });
    return new OpenFile(header, size - length, hashedHeader, {
      kind: 'file',
      fd: held.keep(),
      offset: length,
      storedSize: size - length,
      deflated: false,
      head: bytes.subarray(length),
      complete: fd === -1,
    });
  }

  async #load(type: MetadataType | 'file', checksum: OstreeChecksum, signal?: AbortSignal): Promise<LoadedObject> {
    try {
      const answer = await this.libostree.call('object', { type: objectNumbers[type], checksum }, { signal });
      const { size, partial, fd } = answer.result;
      return { size, partial, head: answer.bytes, fd: fd === undefined ? -1 : this.libostree.take(fd) };
    } catch (error) {
      throw this.#located(error, { checksum, type });
    }
  }

  /** Says where libostree did not find something. */
  #located(error: unknown, facts: Readonly<Record<string, string>>): unknown {
    if (!(error instanceof CfsError) || hasCode(error, 'CANCELLED', 'TIMEOUT')) return error;
    const located = { ...facts, repository: this.location };
    const message = `${error.message} (in ${this.location})`;
    if (error instanceof NotFoundError) return new NotFoundError(message, located);
    return new CfsError(error.code, message, located);
  }

  spoolIn(directory: string): void {
    this.#description = { ...this.#description, spool: directory };
    // An end of the process is told by the next question.
    this.libostree.call('spool', { directory }).catch(() => undefined);
  }

  describe(): LibostreeSourceDescription {
    return this.#description;
  }

  close(): void {
    this.libostree.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A descriptor, or -1 for none, that is closed unless it is kept. */
class Held implements Disposable {
  fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  keep(): number {
    const { fd } = this;
    this.fd = -1;
    return fd;
  }

  [Symbol.dispose](): void {
    if (this.fd !== -1) closeSync(this.fd);
  }
}

function readFirst(fd: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const count = readAt(fd, "libostree's temporary file", bytes, 0, length);
  if (count < length) throw new CfsError('SYSTEM', `libostree's temporary file has ${count} of ${length} bytes`);
  return bytes;
}
