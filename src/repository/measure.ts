/** fs-verity digests of files, computed from their content in constant memory. */
import { readSync } from 'node:fs';
import { VerityHasher } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';

const PIECE_SIZE = 256 * 1024;

let buffer: Buffer | undefined;
const hashers = new Map<HashAlgorithm, VerityHasher>();

/** The content of an open file, piece by piece; each is valid until the next, of any file, is read. */
export function* readPieces(fd: number): Generator<Uint8Array, void, undefined> {
  buffer ??= Buffer.allocUnsafeSlow(PIECE_SIZE);
  for (let offset = 0; ;) {
    const length = readSync(fd, buffer, 0, PIECE_SIZE, offset);
    if (length === 0) return;
    yield length === PIECE_SIZE ? buffer : buffer.subarray(0, length);
    offset += length;
  }
}

/** The digest of an open file. */
export function measureFile(fd: number, algorithm: HashAlgorithm): ObjectId {
  let hasher = hashers.get(algorithm);
  if (hasher === undefined) hashers.set(algorithm, (hasher = new VerityHasher(algorithm)));
  hasher.reset();
  for (const piece of readPieces(fd)) hasher.update(piece);
  return hasher.digest();
}
