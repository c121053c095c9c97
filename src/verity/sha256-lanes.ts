/**
 * SHA-256 of eight equal blocks at once (FIPS 180-4), on top of OpenSSL's multi-block function: initial states, the data, then
 * for all of them the same last block of padding, and the states written out big-endian.
 */
import { viewOf } from '../../bytes/struct.ts';
import type { OpenSsl } from './openssl.ts';

/** Blocks per call. */
export const LANES = 8;

export const INITIAL_STATE = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;
export const SHA_BLOCK = 64;
/** Bytes of one descriptor: address, number of SHA blocks, four bytes unused. */
const DESCRIPTOR = 16;

/** States, descriptors and padding in one piece of memory that never moves, aligned for vector loads. */
export class LaneMemory {
  /** Word by word, in each for one lane after another. */
  readonly states: Uint32Array;
  readonly #advance: (states: number, descriptors: number, fours: number) => void;
  readonly #descriptors: Uint32Array;
  readonly #padding: DataView;
  readonly #at: { readonly states: number; readonly descriptors: number; readonly padding: number };

  constructor(ssl: OpenSsl) {
    this.#advance = ssl.sha256Lanes!;
    const memory = Buffer.allocUnsafeSlow(1024).fill(0);
    const base = ssl.addressOf(memory);
    const states = (128 - (base % 128)) % 128;
    const descriptors = states + 32 * LANES;
    const padding = descriptors + LANES * DESCRIPTOR;
    this.states = new Uint32Array(memory.buffer, memory.byteOffset + states, 8 * LANES);
    this.#descriptors = new Uint32Array(memory.buffer, memory.byteOffset + descriptors, 4 * LANES);
    this.#padding = viewOf(memory.subarray(padding, padding + SHA_BLOCK));
    this.#at = { states: base + states, descriptors: base + descriptors, padding: base + padding };
  }

  /** What a lane is to take in; nothing with no blocks. */
  describe(lane: number, address: number, blocks: number): void {
    this.#descriptors[4 * lane] = address % 2 ** 32;
    this.#descriptors[4 * lane + 1] = Math.floor(address / 2 ** 32);
    this.#descriptors[4 * lane + 2] = blocks;
  }

  /** The last block of messages of `size` bytes, a multiple of 64, for the first `count` lanes, and nothing for the others. */
  describePadding(size: number, count: number): void {
    this.#padding.setUint8(0, 0x80);
    this.#padding.setUint32(60, size * 8);
    for (let lane = 0; lane < LANES; lane++) this.describe(lane, this.#at.padding, lane < count ? 1 : 0);
  }

  /** Advances the first `lanes`, four or eight. */
  run(lanes: number): void {
    this.#advance(this.#at.states, this.#at.descriptors, lanes / 4);
  }

  /** Writes a lane's state as the digest that it is at the end. */
  write(lane: number, out: DataView, offset: number): void {
    for (let word = 0; word < 8; word++) out.setUint32(offset + 4 * word, this.states[word * LANES + lane]!);
  }
}

/** Digests `LANES` blocks of `blockSize` bytes, one after another from the address on, into `out`. */
export type LaneHash = (from: number, blockSize: number, out: Uint8Array, outOffset: number) => void;

export function sha256Lanes(ssl: OpenSsl): LaneHash | undefined {
  if (ssl.sha256Lanes === undefined) return undefined;
  const memory = new LaneMemory(ssl);
  const initial = Uint32Array.from({ length: 8 * LANES }, (_, i) => INITIAL_STATE[Math.floor(i / LANES)]!);
  return (from, blockSize, out, outOffset) => {
    memory.states.set(initial);
    for (let lane = 0; lane < LANES; lane++) memory.describe(lane, from + lane * blockSize, blockSize / SHA_BLOCK);
    memory.run(LANES);
    memory.describePadding(blockSize, LANES);
    memory.run(LANES);
    const view = new DataView(out.buffer, out.byteOffset + outOffset, 32 * LANES);
    for (let lane = 0; lane < LANES; lane++) memory.write(lane, view, 32 * lane);
  };
}
