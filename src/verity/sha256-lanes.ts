/**
 * SHA-256 of eight equal blocks at once (FIPS 180-4), on top of OpenSSL's multi-block function: initial states, the data, then
 * for all of them the same last block of padding, and the states written out big-endian.
 */
import { viewOf } from '../../bytes/struct.ts';
import type { OpenSsl } from './openssl.ts';

/** Blocks per call. */
export const LANES = 8;

const INITIAL_STATE = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;
const SHA_BLOCK = 64;
/** Bytes of one descriptor: address, number of SHA blocks, four bytes unused. */
const DESCRIPTOR = 16;

/** Digests `LANES` blocks of `blockSize` bytes, one after another from the address on, into `out`. */
export type LaneHash = (from: number, blockSize: number, out: Uint8Array, outOffset: number) => void;

export function sha256Lanes(ssl: OpenSsl): LaneHash | undefined {
  const advance = ssl.sha256Lanes;
  if (advance === undefined) return undefined;
  // States, descriptors and padding in one piece of memory that never moves, aligned for vector loads.
  const memory = Buffer.allocUnsafeSlow(1024).fill(0);
  const align = (128 - (ssl.addressOf(memory) % 128)) % 128;
  const at = { states: align, descriptors: align + 256, padding: align + 256 + LANES * DESCRIPTOR };
  const base = ssl.addressOf(memory);
  const states = new Uint32Array(memory.buffer, memory.byteOffset + at.states, 8 * LANES);
  const descriptors = new Uint32Array(memory.buffer, memory.byteOffset + at.descriptors, 4 * LANES);
  const padding = viewOf(memory.subarray(at.padding, at.padding + SHA_BLOCK));
  const initial = Uint32Array.from({ length: 8 * LANES }, (_, i) => INITIAL_STATE[Math.floor(i / LANES)]!);

  const describe = (lane: number, address: number, blocks: number): void => {
    descriptors[4 * lane] = address % 2 ** 32;
    descriptors[4 * lane + 1] = Math.floor(address / 2 ** 32);
    descriptors[4 * lane + 2] = blocks;
  };
  const run = (): void => advance(base + at.states, base + at.descriptors, LANES / 4);

  return (from, blockSize, out, outOffset) => {
    states.set(initial);
    for (let lane = 0; lane < LANES; lane++) describe(lane, from + lane * blockSize, blockSize / SHA_BLOCK);
    run();
    padding.setUint8(0, 0x80);
    padding.setBigUint64(56, BigInt(blockSize * 8));
    for (let lane = 0; lane < LANES; lane++) describe(lane, base + at.padding, 1);
    run();
    const view = new DataView(out.buffer, out.byteOffset + outOffset, 32 * LANES);
    for (let lane = 0; lane < LANES; lane++) {
      for (let word = 0; word < 8; word++) view.setUint32(32 * lane + 4 * word, states[word * LANES + lane]!);
    }
  };
}
