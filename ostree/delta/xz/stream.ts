/**
 * The .xz container (tukaani.org, "The .xz File Format"), decoded in JavaScript: for machines without liblzma. One stream, blocks with
 * LZMA2 and no other filter, as the format of static deltas has them.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { giveAll, XzError, type Decompressor, type Unpacked } from '../decompressor.ts';
import { little32, openCheck } from './checks.ts';
import { Input, type Waiting } from './input.ts';
import { decodeLzma2 } from './lzma2.ts';

const MAGIC = Buffer.from('fd377a585a00', 'hex');
const FOOTER_MAGIC = Buffer.from('YZ');
const LZMA2_FILTER = 0x21;
const MAX_VLI_SIZE = 9;
/** Compressed bytes that take some milliseconds at most. */
const STEP = 4096;

const corrupt = (): XzError => new XzError('Data is corrupt');
const unsupported = (): XzError => new XzError('Unsupported compression options');

/** Decodes one XZ stream with no more than so much memory for its dictionary. */
export function openXz(memoryLimit: number): Decompressor {
  const input = new Input();
  let unpacked: Unpacked | undefined;
  const decoder = decodeStream(input, memoryLimit, (piece) => giveAll(piece, unpacked!));
  let ended = false;
  return {
    step: STEP,
    push(piece, into) {
      if (piece.length === 0) return;
      if (ended) throw new XzError('Data behind the end of the stream');
      unpacked = into;
      input.push(piece);
      ended = decoder.next().done === true;
      if (ended && input.left > 0) throw new XzError('Data behind the end of the stream');
      input.settle();
    },
    end() {
      if (!ended) throw new XzError('Input buffer too small: the stream is cut short');
    },
    [Symbol.dispose]: () => undefined,
  };
}

function* decodeStream(input: Input, memoryLimit: number, write: (piece: Uint8Array) => void): Waiting<void> {
  const header = (yield* input.take(12)).slice();
  if (!MAGIC.equals(header.subarray(0, 6))) throw new XzError('File format not recognized');
  checkCrc(header.subarray(6, 8), header.subarray(8));
  const [reserved = 0, kind = 0] = header.subarray(6, 8);
  if (reserved !== 0 || kind > 15) throw unsupported();
  const blocks = new Records();
  for (let size = yield* input.byte(); size !== 0; size = yield* input.byte()) {
    yield* decodeBlock(input, size, kind, memoryLimit, write, blocks);
  }
  const indexSize = yield* decodeIndex(input, blocks);
  const footer = yield* input.take(12);
  if (!FOOTER_MAGIC.equals(footer.subarray(10))) throw corrupt();
  checkCrc(footer.subarray(4, 10), footer.subarray(0, 4));
  const backward = 4 * (Buffer.from(footer).readUInt32LE(4) + 1);
  if (backward !== indexSize || footer[8] !== reserved || footer[9] !== kind) throw corrupt();
}

/** The sizes of all blocks, which the index repeats, as a digest. */
class Records {
  readonly #hash = createHash('sha256');
  count = 0;

  add(unpaddedSize: number, size: number): void {
    this.#hash.update(`${unpaddedSize} ${size}\n`);
    this.count++;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

function* decodeBlock(
  input: Input,
  sizeByte: number,
  kind: number,
  memoryLimit: number,
  write: (piece: Uint8Array) => void,
  blocks: Records,
): Waiting<void> {
  const start = input.taken - 1;
  const headerSize = 4 * (sizeByte + 1);
  const header = Buffer.alloc(headerSize, sizeByte);
  header.set(yield* input.take(headerSize - 1), 1);
  checkCrc(header.subarray(0, -4), header.subarray(-4));
  const { compressed, uncompressed, dictionarySize } = parseBlockHeader(header.subarray(1, -4));
  const check = openCheck(kind);
  const dataStart = input.taken;
  let size = 0;
  yield* decodeLzma2(input, dictionarySize, memoryLimit, (piece) => {
    size += piece.length;
    check.update(piece);
    write(piece);
  });
  const data = input.taken - dataStart;
  if ((compressed ?? data) !== data || (uncompressed ?? size) !== size) throw corrupt();
  yield* takeZeros(input, -data & 3);
  const stored = yield* input.take(check.size);
  const actual = check.digest();
  if (actual !== undefined && !Buffer.from(stored).equals(actual)) throw corrupt();
  blocks.add(headerSize + data + check.size, size);
  if ((input.taken - start) % 4 !== 0) throw corrupt();
}

interface BlockHeader {
  readonly compressed: number | undefined;
  readonly uncompressed: number | undefined;
  readonly dictionarySize: number;
}

function parseBlockHeader(bytes: Uint8Array): BlockHeader {
  let at = 1;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw corrupt();
    return byte;
  };
  const number = (): number => {
    const parser = parseVli();
    let result = parser.next();
    while (result.done !== true) result = parser.next(next());
    return result.value;
  };
  const flags = bytes[0]!;
  // More than one filter, or flags of the future.
  if ((flags & 0x3f) !== 0) throw unsupported();
  const compressed = (flags & 0x40) === 0 ? undefined : number();
  const uncompressed = (flags & 0x80) === 0 ? undefined : number();
  if (number() !== LZMA2_FILTER || number() !== 1) throw unsupported();
  const bits = next();
  if (bits > 40) throw unsupported();
  if (bytes.subarray(at).some((byte) => byte !== 0)) throw unsupported();
  const dictionarySize = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  return { compressed, uncompressed, dictionarySize };
}

/** Seven bits to a byte, the lowest first; it is given one byte after the other. */
function* parseVli(): Generator<void, number, number> {
  let value = 0;
  for (let i = 0; i < MAX_VLI_SIZE; i++) {
    const byte = yield;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte >= 0x80) continue;
    // A number has but one form.
    if (byte === 0 && i > 0) throw corrupt();
    return value;
  }
  throw corrupt();
}

/** The index, whose first byte was taken already; gives its size. */
function* decodeIndex(input: Input, blocks: Records): Waiting<number> {
  const start = input.taken - 1;
  let crc = crc32(Uint8Array.of(0));
  const number = function* (): Waiting<number> {
    const parser = parseVli();
    let result = parser.next();
    while (result.done !== true) {
      const byte = yield* input.byte();
      crc = crc32(Uint8Array.of(byte), crc);
      result = parser.next(byte);
    }
    return result.value;
  };
  if ((yield* number()) !== blocks.count) throw corrupt();
  const listed = new Records();
  for (let i = 0; i < blocks.count; i++) listed.add(yield* number(), yield* number());
  if (listed.digest() !== blocks.digest()) throw corrupt();
  const padding = -(input.taken - start) & 3;
  yield* takeZeros(input, padding);
  crc = crc32(new Uint8Array(padding), crc);
  if (!Buffer.from(little32(crc)).equals(yield* input.take(4))) throw corrupt();
  return input.taken - start;
}

function* takeZeros(input: Input, length: number): Waiting<void> {
  for (let i = 0; i < length; i++) if ((yield* input.byte()) !== 0) throw corrupt();
}

function checkCrc(bytes: Uint8Array, stored: Uint8Array): void {
  if (!Buffer.from(little32(crc32(bytes))).equals(stored)) throw corrupt();
}
