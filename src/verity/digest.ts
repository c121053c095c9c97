/**
 * fs-verity digests (Linux `Documentation/filesystems/fsverity.rst`), 4096-byte blocks, no salt: the digest that the kernel
 * measures of a file, computed here from its bytes, incrementally and in constant memory.
 *
 * Data blocks are hashed, the last one zero-padded; the hashes fill blocks that are hashed in turn, until one hash is left:
 * the root. The digest is the hash of a 256-byte descriptor that holds the root and the data size. The root of an empty file
 * is zero.
 */
import { struct, bytes, u64, u8, viewOf } from '../../bytes/struct.ts';
import { blockHash, type BlockHash } from './block-hash.ts';
import { algorithmNumber, digestSize, objectIdFromBytes, type HashAlgorithm, type ObjectId } from './object-id.ts';

export const BLOCK_SIZE = 4096;

const descriptor = struct('fsverity_descriptor', 256, {
  version: [0, u8],
  hash_algorithm: [1, u8],
  log_blocksize: [2, u8],
  salt_size: [3, u8],
  data_size: [8, u64],
  root_hash: [16, bytes(64)],
});

interface Level {
  /** Hashes of the level below that are not hashed themselves yet. */
  readonly block: Uint8Array;
  /** Bytes of `block` in use. */
  used: number;
  /** How many hashes this level ever received. */
  count: number;
}

/** Computes the digest of data that arrives in pieces. Use again after `reset()`. */
export class VerityHasher {
  readonly algorithm: HashAlgorithm;
  readonly #hashSize: number;
  readonly #hash: BlockHash;
  readonly #partial = new Uint8Array(BLOCK_SIZE);
  #partialUsed = 0;
  #size = 0;
  readonly #levels: Level[] = [];

  constructor(algorithm: HashAlgorithm) {
    this.algorithm = algorithm;
    this.#hashSize = digestSize(algorithm);
    this.#hash = blockHash(algorithm);
  }

  /** Bytes given so far. */
  get size(): number {
    return this.#size;
  }

  reset(): void {
    this.#partialUsed = 0;
    this.#size = 0;
    for (const level of this.#levels) {
      level.used = 0;
      level.count = 0;
    }
  }

  /** What came after the last whole block; valid until the next call. */
  get rest(): Uint8Array {
    return this.#partial.subarray(0, this.#partialUsed);
  }

  /** @param hash digests whole blocks of the data, in order. */
  update(data: Uint8Array, hash = this.#hash): void {
    this.#size += data.length;
    let offset = 0;
    if (this.#partialUsed > 0) {
      offset = Math.min(BLOCK_SIZE - this.#partialUsed, data.length);
      this.#partial.set(data.subarray(0, offset), this.#partialUsed);
      this.#partialUsed += offset;
      if (this.#partialUsed < BLOCK_SIZE) return;
      this.#hashInto(0, this.#partial, 0, 1);
      this.#partialUsed = 0;
    }
    const blocks = Math.floor((data.length - offset) / BLOCK_SIZE);
    if (blocks > 0) this.#hashInto(0, data, offset, blocks, hash);
    offset += blocks * BLOCK_SIZE;
    if (offset < data.length) {
      this.#partial.set(data.subarray(offset));
      this.#partialUsed = data.length - offset;
    }
  }

  /**
   * Ends the data and gives its digest. Only `reset()` may follow.
   * @param hash digests the last block, if it is not a whole one: zeros fill it up.
   */
  digest(hash = this.#hash): ObjectId {
    if (this.#partialUsed > 0) {
      this.#partial.fill(0, this.#partialUsed);
      this.#hashInto(0, this.#partial, 0, 1, hash);
    }
    const encoded = new Uint8Array(BLOCK_SIZE);
    descriptor.write(viewOf(encoded), 0, {
      version: 1,
      hash_algorithm: algorithmNumber(this.algorithm),
      log_blocksize: Math.log2(BLOCK_SIZE),
      salt_size: 0,
      data_size: BigInt(this.#size),
    });
    if (this.#size > 0) encoded.set(this.#root(), 16);
    this.#hash(encoded, 0, descriptor.size, 1, encoded, descriptor.size);
    return objectIdFromBytes(encoded.subarray(descriptor.size, descriptor.size + this.#hashSize));
  }

  #root(): Uint8Array {
    for (let i = 0; ; i++) {
      const level = this.#level(i);
      if (level.count === 1) return level.block.subarray(0, this.#hashSize);
      if (level.used > 0) this.#hashUp(i, level);
    }
  }

  #level(i: number): Level {
    return (this.#levels[i] ??= { block: new Uint8Array(BLOCK_SIZE), used: 0, count: 0 });
  }

  /** Hashes `count` blocks of `data` into level `i`, and full blocks of that level into the next. */
  #hashInto(i: number, data: Uint8Array, offset: number, count: number, hash = this.#hash): void {
    const level = this.#level(i);
    for (let done = 0; done < count;) {
      const batch = Math.min(count - done, (BLOCK_SIZE - level.used) / this.#hashSize);
      hash(data, offset + done * BLOCK_SIZE, BLOCK_SIZE, batch, level.block, level.used);
      done += batch;
      level.used += batch * this.#hashSize;
      level.count += batch;
      if (level.used === BLOCK_SIZE) this.#hashUp(i, level);
    }
  }

  #hashUp(i: number, level: Level): void {
    level.block.fill(0, level.used);
    level.used = 0;
    this.#hashInto(i + 1, level.block, 0, 1);
  }
}

const hashers = new Map<HashAlgorithm, VerityHasher>();

/** The digest of data that is in memory. */
export function verityDigest(algorithm: HashAlgorithm, data: Uint8Array): ObjectId {
  let hasher = hashers.get(algorithm);
  if (hasher === undefined) hashers.set(algorithm, (hasher = new VerityHasher(algorithm)));
  hasher.reset();
  hasher.update(data);
  return hasher.digest();
}
