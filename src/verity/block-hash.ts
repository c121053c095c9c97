/** Digests of many equal blocks of one array, as a Merkle tree needs them. */
import { hash } from 'node:crypto';
import { digestSize, type HashAlgorithm } from './object-id.ts';
import { checkRange, openssl, type OpenSsl } from './openssl.ts';
import { LANES, sha256Lanes } from './sha256-lanes.ts';

/**
 * Digests `count` consecutive blocks of `blockSize` bytes (a multiple of 64), from `offset` of `data` on, into `out` from
 * `outOffset` on, one digest after another. Both arrays are longer than 64 bytes.
 */
export type BlockHash = (
  data: Uint8Array,
  offset: number,
  blockSize: number,
  count: number,
  out: Uint8Array,
  outOffset: number,
) => void;

function portable(algorithm: HashAlgorithm): BlockHash {
  const size = digestSize(algorithm);
  return (data, offset, blockSize, count, out, outOffset) => {
    for (let i = 0; i < count; i++) {
      const start = offset + i * blockSize;
      out.set(hash(algorithm, data.subarray(start, start + blockSize), 'buffer'), outOffset + i * size);
    }
  };
}

function byAddress(algorithm: HashAlgorithm, ssl: OpenSsl): BlockHash {
  const size = digestSize(algorithm);
  const type = ssl.fetchDigest(algorithm);
  const lanes = algorithm === 'sha256' ? sha256Lanes(ssl) : undefined;
  return (data, offset, blockSize, count, out, outOffset) => {
    checkRange(data, offset, blockSize * count);
    checkRange(out, outOffset, size * count);
    const from = ssl.addressOf(data) + offset;
    const to = ssl.addressOf(out) + outOffset;
    let i = 0;
    if (lanes !== undefined) {
      for (; i + LANES <= count; i += LANES) lanes(from + i * blockSize, blockSize, out, outOffset + i * size);
    }
    for (; i < count; i++) ssl.digest(from + i * blockSize, blockSize, to + i * size, type);
  };
}

/** True when `candidate` gives the answers of `node:crypto`. */
function isRight(candidate: BlockHash, algorithm: HashAlgorithm): boolean {
  const data = Buffer.allocUnsafeSlow(12_288);
  for (let i = 0; i < data.length; i++) data[i] = (i * 31) & 255;
  const [actual, expected] = [new Uint8Array(4096), new Uint8Array(4096)];
  candidate(data, 7, 1024, 11, actual, 5);
  portable(algorithm)(data, 7, 1024, 11, expected, 5);
  return Buffer.compare(actual, expected) === 0;
}

const made = new Map<HashAlgorithm, BlockHash>();

/** The fastest block hash there is here. */
export function blockHash(algorithm: HashAlgorithm): BlockHash {
  let chosen = made.get(algorithm);
  if (chosen === undefined) {
    const ssl = openssl();
    const candidates = ssl === undefined ? [] : [ssl, { ...ssl, sha256Lanes: undefined }];
    chosen =
      candidates.map((each) => byAddress(algorithm, each)).find((each) => isRight(each, algorithm)) ??
      portable(algorithm);
    made.set(algorithm, chosen);
  }
  return chosen;
}
