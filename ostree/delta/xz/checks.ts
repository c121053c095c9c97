/** The checks that a block of an XZ stream may end with, over its uncompressed bytes. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface Check {
  /** Bytes of it in the stream. */
  readonly size: number;
  update(bytes: Uint8Array): void;
  /** Undefined for a kind that is not known: it is not compared. */
  digest(): Uint8Array | undefined;
}

/** By the number of the kind. */
const SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;
const CRC32 = 1;
const CRC64 = 4;
const SHA256 = 10;

/** A new check of the kind with this number, 0 to 15. */
export function openCheck(kind: number): Check {
  const size = SIZES[kind]!;
  if (kind === CRC32) {
    let value = 0;
    return { size, update: (bytes) => (value = crc32(bytes, value)), digest: () => little32(value) };
  }
  if (kind === CRC64) return new Crc64();
  if (kind === SHA256) {
    const hash = createHash('sha256');
    return { size, update: (bytes) => hash.update(bytes), digest: () => hash.digest() };
  }
  return { size, update: () => undefined, digest: () => undefined };
}

export function little32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** ECMA-182, reflected, by halves of 32 bits. */
const POLYNOMIAL = { high: 0xc96c5795, low: 0xd7870f42 };

let table: { readonly high: Int32Array; readonly low: Int32Array } | undefined;

function crc64Table(): NonNullable<typeof table> {
  if (table !== undefined) return table;
  table = { high: new Int32Array(256), low: new Int32Array(256) };
  for (let byte = 0; byte < 256; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd === 1) {
        low ^= POLYNOMIAL.low;
        high ^= POLYNOMIAL.high;
      }
    }
    table.high[byte] = high;
    table.low[byte] = low;
  }
  return table;
}

class Crc64 implements Check {
  readonly size = 8;
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): void {
    const { high: tableHigh, low: tableLow } = crc64Table();
    let high = this.#high;
    let low = this.#low;
    for (let i = 0; i < bytes.length; i++) {
      const index = (low ^ bytes[i]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ tableLow[index]!;
      high = (high >>> 8) ^ tableHigh[index]!;
    }
    this.#high = high;
    this.#low = low;
  }

  digest(): Uint8Array {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, ~this.#low, true);
    view.setUint32(4, ~this.#high, true);
    return bytes;
  }
}
