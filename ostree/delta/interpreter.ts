/** Runs the program of a part: makes its objects, one after the other, in pieces. */
import { isUtf8 } from 'node:buffer';
import { FormatError, NotFoundError } from '../../bytes/errors.ts';
import { checksumFromBytes, type OstreeChecksum } from '../checksum.ts';
import { encodeHashedHeader, isSymlinkMode, type FileHeader } from '../file-header.ts';
import { isModeOfType, S_IFREG } from '../mode.ts';
import { MAX_METADATA_SIZE, type HashedMetadataType } from '../object-type.ts';
import { verifyMetadataObject } from '../object-verify.ts';
import { bspatch, type MakeBytes } from './bspatch.ts';
import { WINDOW_SIZE, type ByteWindow } from './byte-window.ts';
import type { ListedObject, ListedObjects } from './listed-objects.ts';
import { OperationReader, SOURCE_NAME_SIZE, type Operation } from './operations.ts';
import type { Payload } from './payload.ts';

/** Takes the objects that a part makes. */
export interface DeltaOutput {
  /** False for an object that is there already: its operations are checked, but it is not made. */
  wants(object: ListedObject): boolean;
  /** A metadata object, verified, in memory of its own. */
  metadata(type: HashedMetadataType, checksum: OstreeChecksum, bytes: Uint8Array): void;
  /** Begins a file whose checksum covers `hashedHeader` and `size` bytes. */
  begin(checksum: OstreeChecksum, hashedHeader: Uint8Array, size: number): void;
  /** The next bytes of the file, which `make` puts where they are needed. */
  write(make: MakeBytes): void;
  /** Ends the file. @throws ChecksumError if it is not what its checksum says. */
  finish(): void;
}

/** The content of a file of FROM. */
export interface ReadSource extends Disposable {
  readonly content: ByteWindow;
}

/** Opens a regular file of FROM; undefined if there is none of that checksum. */
export type OpenReadSource = (checksum: OstreeChecksum) => ReadSource | undefined;

/**
 * Makes all objects of a part, and stops after each piece of work, so that the caller may do something else.
 * @throws FormatError naming operation and operand, ChecksumError naming the object, whatever `output` and `open` throw.
 */
export function* runPart(
  payload: Payload,
  objects: ListedObjects,
  output: DeltaOutput,
  open: OpenReadSource,
): Generator<void, void, undefined> {
  using run = new Run(payload, objects, output, open);
  for (let pieces = run.next(); pieces !== undefined; pieces = run.next()) {
    for (const make of pieces) {
      output.write(make);
      yield;
    }
    yield;
  }
}

const NOTHING: Iterable<MakeBytes> = [];

interface NamedSource {
  readonly name: OstreeChecksum;
  readonly opened: ReadSource;
}

class Run implements Disposable {
  readonly #payload: Payload;
  readonly #reader: OperationReader;
  readonly #output: DeltaOutput;
  readonly #openSource: OpenReadSource;
  #source: NamedSource | undefined;
  /** The source that was set last, which programs set again and again between writes from the blob. */
  #last: NamedSource | undefined;
  /** Of the open file. */
  #size = 0;
  /** Bytes of the open file so far. */
  #written = 0;
  /** Whether the open file is made. */
  #wanted = false;

  constructor(payload: Payload, objects: ListedObjects, output: DeltaOutput, open: OpenReadSource) {
    this.#payload = payload;
    this.#reader = new OperationReader(payload, objects);
    this.#output = output;
    this.#openSource = open;
  }

  /** Runs the next operation, and gives what it writes to the open file. */
  next(): Iterable<MakeBytes> | undefined {
    const operation = this.#reader.next();
    if (operation === undefined) return undefined;
    switch (operation.op) {
      case 'splice metadata':
        this.#metadata(operation);
        return NOTHING;
      case 'splice file':
        return this.#spliceFile(operation);
      case 'open':
        this.#open(operation);
        return NOTHING;
      case 'write':
        return this.#write(operation);
      case 'set read source':
        this.#setSource(checksumFromBytes(this.#payload.blob.bytes(operation.offset, SOURCE_NAME_SIZE)));
        return NOTHING;
      case 'unset read source':
        this.#dropSource();
        return NOTHING;
      case 'close':
        this.#close();
        return NOTHING;
      default:
        return this.#patch(operation);
    }
  }

  #metadata({ object: { type, checksum }, offset, length }: Extract<Operation, { op: 'splice metadata' }>): void {
    this.#dropSource();
    if (type === 'file' || !this.#output.wants({ type, checksum })) return;
    if (length > MAX_METADATA_SIZE)
      throw this.#fail('length', `${length} bytes of metadata, the most is ${MAX_METADATA_SIZE}`);
    const bytes = this.#payload.blob.copy(offset, length);
    verifyMetadataObject(type, checksum, bytes);
    this.#output.metadata(type, checksum, bytes);
  }

  *#spliceFile(operation: Extract<Operation, { op: 'splice file' }>): Generator<MakeBytes, void, undefined> {
    const { object, offset, length } = operation;
    this.#dropSource();
    const header = this.#header(operation);
    const regular = isModeOfType(header.mode, S_IFREG);
    if (!regular && !isSymlinkMode(header.mode)) {
      throw this.#fail('mode', `mode ${header.mode.toString(8)} is neither a regular file's nor a symlink's`);
    }
    this.#begin(
      object,
      regular ? header : { ...header, symlinkTarget: this.#target(offset, length) },
      regular ? length : 0,
    );
    if (regular && this.#wanted) yield* slices(this.#payload.blob, offset, length);
    this.#close();
  }

  /** Up to the first NUL. */
  #target(offset: number, length: number): string {
    const target = Buffer.from(this.#payload.blob.copy(offset, Math.min(length, WINDOW_SIZE)));
    const nul = target.indexOf(0);
    const text = nul === -1 ? target : target.subarray(0, nul);
    if (!isUtf8(text)) throw this.#fail('offset', 'the symlink target is not UTF-8');
    return text.toString('utf8');
  }

  #open(operation: Extract<Operation, { op: 'open' }>): void {
    const header = this.#header(operation);
    if (!isModeOfType(header.mode, S_IFREG)) {
      throw this.#fail('mode', `mode ${header.mode.toString(8)} is not a regular file's`);
    }
    this.#begin(operation.object, header, operation.size);
  }

  #header({ mode, xattrs }: { readonly mode: number; readonly xattrs: number }): FileHeader {
    return {
      ...this.#payload.mode(mode, `${this.#reader.field}.mode`),
      symlinkTarget: '',
      xattrs: this.#payload.xattrs(xattrs, `${this.#reader.field}.xattrs`),
    };
  }

  #begin(object: ListedObject, header: FileHeader, size: number): void {
    this.#size = size;
    this.#written = 0;
    this.#wanted = this.#output.wants(object);
    if (this.#wanted) this.#output.begin(object.checksum, encodeHashedHeader(header), size);
  }

  #close(): void {
    if (this.#wanted) this.#output.finish();
    this.#wanted = false;
    this.#dropSource();
  }

  #write({ offset, length, fromSource }: Extract<Operation, { op: 'write' }>): Iterable<MakeBytes> {
    this.#written += length;
    if (!fromSource) return this.#wanted ? slices(this.#payload.blob, offset, length) : NOTHING;
    const { name, opened } = this.#currentSource();
    if (offset + length > opened.content.size) {
      const problem = `Unexpected EOF reading object ${name}: ${offset}/${length} of ${opened.content.size} bytes`;
      throw this.#fail('offset', problem);
    }
    return this.#wanted ? slices(opened.content, offset, length) : NOTHING;
  }

  #patch({ offset, length }: Extract<Operation, { op: 'bspatch' }>): Iterable<MakeBytes> {
    const { opened } = this.#currentSource();
    if (!this.#wanted) return NOTHING;
    const { blob, format } = this.#payload;
    const patch = { bytes: blob, offset, length, format, field: this.#reader.field };
    return bspatch(patch, opened.content, this.#size - this.#written);
  }

  #setSource(name: OstreeChecksum): void {
    if (this.#last?.name === name) {
      this.#source = this.#last;
      return;
    }
    this.#forgetLast();
    const opened = this.#openSource(name);
    if (opened === undefined) {
      throw new NotFoundError(`Couldn't find file object '${name}', which ${this.#payload.format} is made from`, {
        object: name,
      });
    }
    this.#last = { name, opened };
    this.#source = this.#last;
  }

  #currentSource(): NamedSource {
    if (this.#source === undefined) throw this.#fail('source', 'there is no read source');
    return this.#source;
  }

  #dropSource(): void {
    this.#source = undefined;
  }

  #forgetLast(): void {
    this.#dropSource();
    this.#last?.opened[Symbol.dispose]();
    this.#last = undefined;
  }

  #fail(operand: string, problem: string): FormatError {
    return new FormatError(this.#payload.format, `${this.#reader.field}.${operand}`, problem);
  }

  [Symbol.dispose](): void {
    this.#forgetLast();
  }
}

/** Bytes as they are, in pieces. */
function* slices(bytes: ByteWindow, offset: number, length: number): Generator<MakeBytes, void, undefined> {
  for (let done = 0; done < length;) {
    let count = 0;
    yield (into, at, room) => {
      count = Math.min(length - done, room, WINDOW_SIZE);
      into.set(bytes.bytes(offset + done, count), at);
      return count;
    };
    done += count;
  }
}
