/**
 * The program of a part, one operation after the other (format.ts). What can be told without the other tables is checked here: that
 * operations come in an order that makes sense, that they lie within the blob, and that they make just the objects that are listed.
 */
import { FormatError } from '../../bytes/errors.ts';
import type { ByteWindow } from './byte-window.ts';
import { Op } from './format.ts';
import type { ListedObject, ListedObjects } from './listed-objects.ts';
import type { Payload } from './payload.ts';
import { decodeVarint, MAX_VARINT_SIZE } from './varint.ts';

/** A slice of the blob. */
interface Slice {
  readonly offset: number;
  readonly length: number;
}

/** Indices into the tables of the payload. */
interface FileEntry {
  readonly object: ListedObject;
  readonly mode: number;
  readonly xattrs: number;
}

export type Operation =
  /** A whole object. */
  | ({ readonly op: 'splice metadata'; readonly object: ListedObject } & Slice)
  /** A whole file: its content, or its target. */
  | ({ readonly op: 'splice file' } & FileEntry & Slice)
  /** Begins a regular file. */
  | ({ readonly op: 'open'; readonly size: number } & FileEntry)
  /** From the read source if there is one, else from the blob. */
  | ({ readonly op: 'write'; readonly fromSource: boolean } & Slice)
  | { readonly op: 'set read source'; readonly offset: number }
  | { readonly op: 'unset read source' }
  | { readonly op: 'close' }
  /** A patch in the blob, for the read source. */
  | ({ readonly op: 'bspatch' } & Slice);

/** Bytes of the blob that name a read source. */
export const SOURCE_NAME_SIZE = 32;

const names: Readonly<Record<number, string>> = {
  [Op.openSpliceClose]: 'open-splice-and-close',
  [Op.open]: 'open',
  [Op.write]: 'write',
  [Op.setReadSource]: 'set-read-source',
  [Op.unsetReadSource]: 'unset-read-source',
  [Op.close]: 'close',
  [Op.bspatch]: 'bspatch',
};

/** What of a payload its operations are checked against. */
interface OperationsOf extends Pick<Payload, 'operations' | 'format'> {
  readonly blob: Pick<ByteWindow, 'size'>;
}

export class OperationReader {
  readonly #operations: ByteWindow;
  readonly #blobSize: number;
  readonly #objects: ListedObjects;
  readonly #format: string;
  /** The next byte to read. */
  #at = 0;
  /** Number of the next operation. */
  #index = 0;
  /** Objects that are complete. */
  #made = 0;
  /** Bytes that the open file lacks. */
  #open: number | undefined;
  #hasSource = false;
  #field = '';

  constructor({ operations, blob, format }: OperationsOf, objects: ListedObjects) {
    this.#operations = operations;
    this.#blobSize = blob.size;
    this.#objects = objects;
    this.#format = format;
  }

  /** What errors call the operation that was read last. */
  get field(): string {
    return this.#field;
  }

  /** The next operation; undefined at the end. @throws FormatError */
  next(): Operation | undefined {
    if (this.#at === this.#operations.size) {
      this.#checkEnd();
      return undefined;
    }
    const opcode = this.#operations.bytes(this.#at++, 1)[0]!;
    const name = names[opcode];
    if (name === undefined)
      throw this.#invalid(`operations[${this.#index}]`, `Unknown opcode ${opcode} at offset ${this.#index}`);
    this.#field = `operations[${this.#index++}].${name}`;
    switch (opcode) {
      case Op.openSpliceClose:
        return this.#splice();
      case Op.open: {
        const object = this.#begin();
        if (object.type !== 'file') throw this.#fail('object', `opens a ${object.type}, which is not a file`);
        const operation = {
          op: 'open',
          object,
          mode: this.#varint('mode'),
          xattrs: this.#varint('xattrs'),
          size: this.#varint('size'),
        } as const;
        this.#open = operation.size;
        return operation;
      }
      case Op.write: {
        const length = this.#varint('length');
        const offset = this.#varint('offset');
        this.#write(length);
        if (!this.#hasSource) this.#checkSlice(length, offset);
        return { op: 'write', fromSource: this.#hasSource, length, offset };
      }
      case Op.setReadSource: {
        const offset = this.#varint('offset');
        this.#checkSlice(SOURCE_NAME_SIZE, offset);
        this.#hasSource = true;
        return { op: 'set read source', offset };
      }
      case Op.unsetReadSource:
        this.#hasSource = false;
        return { op: 'unset read source' };
      case Op.close:
        return this.#close();
      default: {
        const offset = this.#varint('offset');
        const length = this.#varint('length');
        if (this.#open === undefined) throw this.#fail('target', 'no file is open');
        if (!this.#hasSource) throw this.#fail('source', 'there is no read source');
        this.#checkSlice(length, offset);
        // It makes a whole file: as much as the file has, and no more.
        this.#open = 0;
        return { op: 'bspatch', offset, length };
      }
    }
  }

  #splice(): Operation {
    const object = this.#begin();
    const entry = object.type === 'file' ? { mode: this.#varint('mode'), xattrs: this.#varint('xattrs') } : undefined;
    const length = this.#varint('length');
    const offset = this.#varint('offset');
    this.#checkSlice(length, offset);
    this.#made++;
    this.#hasSource = false;
    if (entry === undefined) return { op: 'splice metadata', object, length, offset };
    return { op: 'splice file', object, ...entry, length, offset };
  }

  #close(): Operation {
    if (this.#open === undefined) throw this.#fail('target', 'no file is open');
    if (this.#open > 0) throw this.#fail('target', `${this.#open} bytes less than the content size were written`);
    this.#open = undefined;
    this.#made++;
    this.#hasSource = false;
    return { op: 'close' };
  }

  /** The object that is next in the list. */
  #begin(): ListedObject {
    if (this.#open !== undefined) throw this.#fail('target', 'the object before is not closed');
    if (this.#made < this.#objects.length) return this.#objects.at(this.#made);
    throw this.#fail('object', `makes more objects than the ${this.#objects.length} that are listed`);
  }

  #write(length: number): void {
    if (this.#open === undefined) throw this.#fail('target', 'no file is open');
    if (length > this.#open)
      throw this.#fail('length', `${length}, but only ${this.#open} bytes are left to be written`);
    this.#open -= length;
  }

  #checkSlice(length: number, offset: number): void {
    if (offset + length <= this.#blobSize) return;
    throw this.#fail('offset', `Invalid offset/length ${offset}/${length}, the blob has ${this.#blobSize} bytes`);
  }

  #checkEnd(): void {
    if (this.#open === undefined && this.#made === this.#objects.length) return;
    const problem = `end after ${this.#made} of the ${this.#objects.length} objects that are listed`;
    throw this.#invalid('operations', problem);
  }

  #varint(operand: string): number {
    const bytes = this.#operations.bytes(this.#at, Math.min(MAX_VARINT_SIZE, this.#operations.size - this.#at));
    const { value, end } = decodeVarint(bytes, 0, this.#format, `${this.#field}.${operand}`);
    this.#at += end;
    return value;
  }

  #fail(operand: string, problem: string): FormatError {
    return this.#invalid(`${this.#field}.${operand}`, problem);
  }

  #invalid(field: string, problem: string): FormatError {
    return new FormatError(this.#format, field, problem);
  }
}
