/**
 * One part of a delta as it is put together: the tables of modes and xattrs, the blob and the operations; see format.ts.
 *
 * The blob is a list of pieces that are read when the payload is, so that a part of large files takes no memory.
 */
import { minimalWidth } from '../../../gvariant/src/frame.ts';
import { encode } from '../../../gvariant/src/encode.ts';
import { checksumBytes, type OstreeChecksum } from '../../checksum.ts';
import type { FileHeader } from '../../file-header.ts';
import { objectNumbers, type HashedMetadataType } from '../../object-type.ts';
import { encodeXattrs } from '../../xattrs.ts';
import { LISTED_OBJECT_SIZE, MODE_ENTRY_SIZE, Op } from '../format.ts';
import { encodeVarint } from '../varint.ts';
import type { Copy } from './difference.ts';

/** Some bytes of a blob. */
export interface Piece {
  readonly length: number;
  /** The bytes; each chunk may be overwritten by the next. */
  chunks(): Iterable<Uint8Array>;
}

export function bytesPiece(bytes: Uint8Array): Piece {
  return { length: bytes.length, chunks: () => [bytes] };
}

/** Bytes that an object may take in a payload besides its content: operations, checksum of the source, table entries. */
const OBJECT_OVERHEAD = 128;

/** A finished part: what the superblock lists of it, and its payload. */
export interface Part {
  /** 33 bytes for each object: number and checksum. */
  readonly objects: Uint8Array;
  readonly objectCount: number;
  /** Bytes of the objects that it makes. */
  readonly usize: number;
  /** Bytes of `payload`. */
  readonly size: number;
  payload(): Iterable<Uint8Array>;
}

export class PartBuilder {
  readonly #objects: Uint8Array[] = [];
  readonly #modes = new Map<string, { readonly index: number; readonly entry: Uint8Array }>();
  readonly #xattrs = new Map<string, { readonly index: number; readonly encoded: Uint8Array }>();
  readonly #sources = new Map<OstreeChecksum, number>();
  readonly #pieces: Piece[] = [];
  readonly #operations: number[] = [];
  #blobSize = 0;
  #usize = 0;

  get isEmpty(): boolean {
    return this.#objects.length === 0;
  }

  /** Bytes that the payload has, or a little less. */
  get size(): number {
    return this.#blobSize + this.#operations.length;
  }

  /** True if an object with so many bytes of its own would make the payload larger than `most`. */
  exceeds(most: number, bytes: number): boolean {
    return !this.isEmpty && this.size + bytes + OBJECT_OVERHEAD > most;
  }

  addMetadata(type: HashedMetadataType, checksum: OstreeChecksum, bytes: Uint8Array): void {
    this.#list(objectNumbers[type], checksum, bytes.length);
    const offset = this.#append(bytesPiece(bytes));
    this.#emit(Op.openSpliceClose, bytes.length, offset);
  }

  addSymlink(checksum: OstreeChecksum, header: FileHeader): void {
    this.#splice(checksum, header, bytesPiece(Buffer.from(header.symlinkTarget)), 0);
  }

  /** A regular file with all its content. */
  addWhole(checksum: OstreeChecksum, header: FileHeader, content: Piece): void {
    this.#splice(checksum, header, content, content.length);
  }

  #splice(checksum: OstreeChecksum, header: FileHeader, content: Piece, usize: number): void {
    this.#list(objectNumbers.file, checksum, usize);
    const offset = this.#append(content);
    this.#emit(Op.openSpliceClose, this.#mode(header), this.#xattr(header), content.length, offset);
  }

  /**
   * A regular file of `size` bytes that has parts of `source`; `literal` gives what is between those, which is not looked at before
   * the payload is read.
   */
  addCopies(
    checksum: OstreeChecksum,
    header: FileHeader,
    size: number,
    source: OstreeChecksum,
    copies: readonly Copy[],
    literal: (start: number, length: number) => Piece,
  ): void {
    this.#open(checksum, header, size);
    const sourceAt = this.#source(source);
    let at = 0;
    let reading = false;
    const writeNew = (end: number): void => {
      if (end === at) return;
      if (reading) this.#emit(Op.unsetReadSource);
      reading = false;
      this.#emit(Op.write, end - at, this.#append(literal(at, end - at)));
    };
    for (const copy of copies) {
      writeNew(copy.start);
      if (!reading) this.#emit(Op.setReadSource, sourceAt);
      reading = true;
      this.#emit(Op.write, copy.length, copy.source);
      at = copy.start + copy.length;
    }
    writeNew(size);
    this.#emit(Op.close);
  }

  /** A regular file of `size` bytes that a patch makes of `source`. */
  addPatched(
    checksum: OstreeChecksum,
    header: FileHeader,
    size: number,
    source: OstreeChecksum,
    patch: Uint8Array,
  ): void {
    this.#open(checksum, header, size);
    this.#emit(Op.setReadSource, this.#source(source));
    this.#emit(Op.bspatch, this.#append(bytesPiece(patch)), patch.length);
    this.#emit(Op.close);
  }

  #open(checksum: OstreeChecksum, header: FileHeader, size: number): void {
    this.#list(objectNumbers.file, checksum, size);
    this.#emit(Op.open, this.#mode(header), this.#xattr(header), size);
  }

  #list(number: number, checksum: OstreeChecksum, usize: number): void {
    const entry = new Uint8Array(LISTED_OBJECT_SIZE);
    entry[0] = number;
    entry.set(checksumBytes(checksum), 1);
    this.#objects.push(entry);
    this.#usize += usize;
  }

  #emit(operation: number, ...operands: readonly number[]): void {
    this.#operations.push(operation);
    for (const operand of operands) encodeVarint(operand, this.#operations);
  }

  /** Puts a piece at the end of the blob, and gives where it begins. */
  #append(piece: Piece): number {
    const offset = this.#blobSize;
    if (piece.length > 0) this.#pieces.push(piece);
    this.#blobSize += piece.length;
    return offset;
  }

  /** Where the blob names the source. */
  #source(checksum: OstreeChecksum): number {
    let offset = this.#sources.get(checksum);
    if (offset === undefined) {
      offset = this.#append(bytesPiece(checksumBytes(checksum)));
      this.#sources.set(checksum, offset);
    }
    return offset;
  }

  #mode({ uid, gid, mode }: FileHeader): number {
    const entry = new Uint8Array(MODE_ENTRY_SIZE);
    const view = new DataView(entry.buffer);
    for (const [i, value] of [uid, gid, mode].entries()) view.setUint32(4 * i, value);
    return entryOf(this.#modes, Buffer.from(entry).toString('latin1'), (index) => ({ index, entry })).index;
  }

  #xattr({ xattrs }: FileHeader): number {
    const encoded = encodeXattrs(xattrs);
    return entryOf(this.#xattrs, Buffer.from(encoded).toString('latin1'), (index) => ({ index, encoded })).index;
  }

  finish(): Part {
    const modes = Buffer.concat(Array.from(this.#modes.values(), ({ entry }) => entry));
    // Whole serialised arrays as elements: they have no alignment, so they can be taken for arrays of bytes.
    const xattrs = encode(
      'aay',
      Array.from(this.#xattrs.values(), ({ encoded }) => encoded),
    );
    const operations = Uint8Array.from(this.#operations);
    const body = modes.length + xattrs.length + this.#blobSize + operations.length;
    const blobEnd = modes.length + xattrs.length + this.#blobSize;
    const offsets = framingOffsets(body, [blobEnd, modes.length + xattrs.length, modes.length]);
    const pieces = this.#pieces;
    return {
      objects: Buffer.concat(this.#objects),
      objectCount: this.#objects.length,
      usize: this.#usize,
      size: body + offsets.length,
      *payload() {
        // No member needs padding: the first one begins at 0, and the others have alignment 1.
        yield modes;
        yield xattrs;
        for (const piece of pieces) yield* piece.chunks();
        yield operations;
        yield offsets;
      },
    };
  }
}

function entryOf<Entry>(table: Map<string, Entry>, key: string, make: (index: number) => Entry): Entry {
  let entry = table.get(key);
  if (entry === undefined) table.set(key, (entry = make(table.size)));
  return entry;
}

/** The offsets behind a GVariant container of `body` bytes, as `minimalWidth` wants them. */
function framingOffsets(body: number, ends: readonly number[]): Uint8Array {
  const width = minimalWidth(body, ends.length);
  const out = Buffer.alloc(width * ends.length);
  // `writeUIntLE` takes six bytes at most; the others of eight stay 0.
  for (const [i, end] of ends.entries()) out.writeUIntLE(end, i * width, Math.min(width, 6));
  return out;
}
