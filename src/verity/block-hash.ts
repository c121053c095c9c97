/** Digests of many equal blocks of one array, as a Merkle tree needs them. */
import { hash } from 'node:crypto';
import { checkRange, openssl } from './openssl.ts';
import { digestSize, type HashAlgorithm } from './object-id.ts';

/**
 * Digests `count` consecutive blocks of `blockSize` bytes, from `offset` of `data` on, into `out` from `outOffset` on, one
 * digest after another. Both arrays are longer than 64 bytes.
 */
export type BlockHash = (
  data: Uint8Array,
  offset: number,
  blockSize: number,
  count: number,
  out: Uint8Array,
  outOffset: number,
) => void;

function make(algorithm: HashAlgorithm): BlockHash {
  const size = digestSize(algorithm);
  const ssl = openssl();
  if (ssl === undefined) {
    return (data, offset, blockSize, count, out, outOffset) => {
      for (let i = 0; i < count; i++) {
        const start = offset + i * blockSize;
        out.set(hash(algorithm, data.subarray(start, start + blockSize), 'buffer'), outOffset + i * size);
      }
    };
  }
  const type = ssl.fetchDigest(algorithm);
  return (data, offset, blockSize, count, out, outOffset) => {
    checkRange(data, offset, blockSize * count);
    checkRange(out, outOffset, size * count);
    const from = ssl.addressOf(data) + offset;
    const to = ssl.addressOf(out) + outOffset;
    for (let i = 0; i < count; i++) ssl.digest(from + i * blockSize, blockSize, to + i * size, type);
  };
}

const made = new Map<HashAlgorithm, BlockHash>();

/** The fastest block hash there is here. */
export function blockHash(algorithm: HashAlgorithm): BlockHash {
  let chosen = made.get(algorithm);
  if (chosen === undefined) made.set(algorithm, (chosen = make(algorithm)));
  return chosen;
}
