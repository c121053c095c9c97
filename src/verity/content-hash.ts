/** Both digests of a file's content: the SHA-256 that OSTree names it by, and the fs-verity digest of its object. */
import type { BlockHash } from './block-hash.ts';
import { BLOCK_SIZE, VerityHasher } from './digest.ts';
import type { HashAlgorithm, ObjectId } from './object-id.ts';
import { sha256Pair, type PairedHash } from './sha256-pair.ts';
import { sha256Stream, type StreamHash } from './stream-hash.ts';

/** Lives as long as its thread; `start` begins the next file. */
export class ContentHash {
  readonly #pair: PairedHash | undefined;
  readonly #sha256: StreamHash;
  readonly #verity: VerityHasher;
  /** The SHA-256 has not seen what came after the last whole block. */
  #lacksRest = false;

  constructor(algorithm: HashAlgorithm) {
    this.#pair = algorithm === 'sha256' ? sha256Pair() : undefined;
    this.#sha256 = this.#pair ?? sha256Stream();
    this.#verity = new VerityHasher(algorithm);
  }

  /** @param header is what the SHA-256 covers in front of the content. */
  start(header: Uint8Array): void {
    this.#sha256.reset();
    this.#sha256.update(header);
    this.#verity.reset();
    this.#lacksRest = false;
  }

  /** The next content. */
  update(data: Uint8Array): void {
    const { rest } = this.#verity;
    if (this.#pair === undefined || rest.length > 0) {
      if (this.#lacksRest) this.#sha256.update(rest);
      this.#lacksRest = false;
      this.#sha256.update(data);
      this.#verity.update(data);
      return;
    }
    const whole = data.length - (data.length % BLOCK_SIZE);
    if (whole > 0) this.#verity.update(data.subarray(0, whole), this.#pair.updateBlocks);
    if (whole === data.length) return;
    this.#verity.update(data.subarray(whole));
    this.#lacksRest = true;
  }

  /** Both digests, the 32 bytes of the SHA-256 valid until the next `start`, which has to follow. */
  digest(): { readonly sha256: Uint8Array; readonly verity: ObjectId } {
    const verity = this.#verity.digest(this.#lacksRest ? this.#digestRest : undefined);
    return { sha256: this.#sha256.digest(), verity };
  }

  readonly #digestRest: BlockHash = (...block) => this.#pair!.updateTail(this.#verity.rest.length, ...block);
}
