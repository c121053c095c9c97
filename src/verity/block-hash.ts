/**
 * One-shot digests without the cost of a `Hash` object or a result `Buffer` for each 4 KiB block.
 *
 * fs-verity hashes every block by itself, so a pull computes some hundred thousand digests. Node's `crypto.hash` spends a
 * third of the time of such a digest on its own bookkeeping; `EVP_Digest` of the OpenSSL that Node carries, called by
 * address through koffi, does not. Where koffi or the symbol is missing, `crypto.hash` does the same work.
 */
import { hash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { HashAlgorithm } from './object-id.ts';

/** Digests `length` bytes of `data` from `offset` on into `out` at `outOffset`. Both arrays are 4096 bytes or longer. */
export interface BlockHash {
  (data: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void;
  /**
   * Digests `count` consecutive blocks of `blockSize` bytes each, the results one after another in `out`.
   */
  blocks(data: Uint8Array, offset: number, blockSize: number, count: number, out: Uint8Array, outOffset: number): void;
}

function portable(algorithm: HashAlgorithm, size: number): BlockHash {
  const one = (data: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void => {
    out.set(hash(algorithm, data.subarray(offset, offset + length), 'buffer'), outOffset);
  };
  return Object.assign(one, {
    blocks(data: Uint8Array, offset: number, blockSize: number, count: number, out: Uint8Array, outOffset: number) {
      for (let i = 0; i < count; i++) one(data, offset + i * blockSize, blockSize, out, outOffset + i * size);
    },
  });
}

function native(algorithm: HashAlgorithm, size: number): BlockHash {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const node = koffi.load(null);
  const evpDigest = node.func('int EVP_Digest(size_t, size_t, size_t, size_t, size_t, size_t)');
  const type = node.func('size_t EVP_MD_fetch(size_t, const char *, size_t)')(0, algorithm.toUpperCase(), 0) as number;
  if (type === 0) throw new Error(`EVP_MD_fetch(${algorithm}) failed`);
  const digest = (from: number, length: number, to: number): void => {
    if (evpDigest(from, length, to, 0, type, 0) !== 1) throw new Error(`EVP_Digest(${algorithm}) failed`);
  };
  const addressOf = (array: Uint8Array): number => Number(koffi.address(array));
  const one = (data: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void => {
    checkRange(data, offset, length);
    checkRange(out, outOffset, size);
    digest(addressOf(data) + offset, length, addressOf(out) + outOffset);
  };
  return Object.assign(one, {
    blocks(data: Uint8Array, offset: number, blockSize: number, count: number, out: Uint8Array, outOffset: number) {
      checkRange(data, offset, blockSize * count);
      checkRange(out, outOffset, size * count);
      const from = addressOf(data) + offset;
      const to = addressOf(out) + outOffset;
      for (let i = 0; i < count; i++) digest(from + i * blockSize, blockSize, to + i * size);
    },
  });
}

/** Addresses know no bounds: this is what keeps a native call inside the array. */
function checkRange(array: Uint8Array, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > array.length) throw new RangeError('outside the array');
}

const made = new Map<HashAlgorithm, BlockHash>();

/** The fastest block hash that gives right answers here. */
export function blockHash(algorithm: HashAlgorithm): BlockHash {
  const known = made.get(algorithm);
  if (known !== undefined) return known;
  const size = algorithm === 'sha256' ? 32 : 64;
  let chosen = portable(algorithm, size);
  try {
    const candidate = native(algorithm, size);
    const sample = Buffer.alloc(8192, 'fs-verity');
    const answer = Buffer.alloc(4096);
    candidate(sample, 1, 4096, answer, 7);
    if (hash(algorithm, sample.subarray(1, 4097), 'hex') === answer.toString('hex', 7, 7 + size)) chosen = candidate;
  } catch {
    // No koffi for this platform, or another OpenSSL: the portable one stays.
  }
  made.set(algorithm, chosen);
  return chosen;
}
