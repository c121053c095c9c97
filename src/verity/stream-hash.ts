/** A SHA-256 that is used again and again: for the checksums of many small objects, without an object for each. */
import { createHash, type Hash } from 'node:crypto';
import { checkRange, openssl } from './openssl.ts';

export interface StreamHash {
  /** Starts over. */
  reset(): void;
  update(data: Uint8Array, offset?: number, length?: number): void;
  /** The 32 bytes of the digest, valid until the next call. `reset()` comes next. */
  digest(): Uint8Array;
}

const COPY_BELOW = 4096;

/** A new, reset hash. It lives as long as its thread. */
export function sha256Stream(): StreamHash {
  const ssl = openssl();
  if (ssl === undefined) return portable();
  const type = ssl.fetchDigest('sha256');
  const context = ssl.newContext();
  const own = Buffer.allocUnsafeSlow(COPY_BELOW);
  const ownAddress = ssl.addressOf(own);
  ssl.init(context, type);
  return {
    reset: () => ssl.init(context, type),
    update(data, offset = 0, length = data.length - offset) {
      checkRange(data, offset, length);
      if (length <= COPY_BELOW && data.length <= COPY_BELOW) {
        // Small arrays may be moved by the garbage collector; the copy does not.
        own.set(data.subarray(offset, offset + length));
        ssl.update(context, ownAddress, length);
      } else {
        ssl.update(context, ssl.addressOf(data) + offset, length);
      }
    },
    digest() {
      ssl.final(context, ownAddress);
      return own.subarray(0, 32);
    },
  };
}

function portable(): StreamHash {
  let current: Hash = createHash('sha256');
  return {
    reset() {
      current = createHash('sha256');
    },
    update(data, offset = 0, length = data.length - offset) {
      current.update(data.subarray(offset, offset + length));
    },
    digest: () => current.digest(),
  };
}
