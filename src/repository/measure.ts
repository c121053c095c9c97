/** fs-verity digests of files, computed from their content in constant memory. */
import { readSync } from 'node:fs';
import { VerityHasher } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';

const PIECE_SIZE = 256 * 1024;

let piece: Buffer | undefined;
const hashers = new Map<HashAlgorithm, VerityHasher>();

/** The digest of an open file. */
export function measureFile(fd: number, algorithm: HashAlgorithm): ObjectId {
  piece ??= Buffer.allocUnsafeSlow(PIECE_SIZE);
  let hasher = hashers.get(algorithm);
  if (hasher === undefined) hashers.set(algorithm, (hasher = new VerityHasher(algorithm)));
  hasher.reset();
  for (let offset = 0; ;) {
    const length = readSync(fd, piece, 0, PIECE_SIZE, offset);
    if (length === 0) return hasher.digest();
    hasher.update(length === PIECE_SIZE ? piece : piece.subarray(0, length));
    offset += length;
  }
}
