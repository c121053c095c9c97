/**
 * The OpenSSL that Node itself carries, called by memory address through koffi.
 *
 * A pull computes some hundred thousand digests of 4 KiB blocks. Node's `crypto.hash` spends a third of the time of such a
 * digest on its own bookkeeping (a `Buffer` for each result, checks of its arguments); `EVP_Digest` by address does not.
 * These are public functions of OpenSSL 3. Where koffi or a symbol is missing, `openssl()` is undefined and `node:crypto` does
 * the same work.
 */
import { hash } from 'node:crypto';
import { createRequire } from 'node:module';

type Address = number;

export interface OpenSsl {
  /** The address of an array's first byte. Arrays of 64 bytes and less may move: use larger ones only. */
  addressOf(array: Uint8Array): Address;
  /** `EVP_MD_fetch`. */
  fetchDigest(name: string): Address;
  /** `EVP_Digest`: one-shot. */
  digest(data: Address, length: number, out: Address, type: Address): void;
  /** `EVP_MD_CTX_new`; never freed: for contexts that live as long as the thread. */
  newContext(): Address;
  /** `EVP_DigestInit_ex2`. */
  init(context: Address, type: Address): void;
  /** `EVP_DigestUpdate`. */
  update(context: Address, data: Address, length: number): void;
  /** `EVP_DigestFinal_ex`. */
  final(context: Address, out: Address): void;
  /**
   * `sha256_multi_block` of x86-64, which advances eight SHA-256 states at once and so hides the latency of the processor's SHA
   * instructions (half as fast again as one after another): states as `A[8] … H[8]`, and `{ address, blocks of 64 }`[8].
   * Not a public function, hence optional.
   */
  readonly sha256Lanes: ((states: Address, descriptors: Address, fours: number) => void) | undefined;
}

function load(): OpenSsl {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const node = koffi.load(null);
  const fetch = node.func('size_t EVP_MD_fetch(size_t, const char *, size_t)');
  const digest = node.func('int EVP_Digest(size_t, size_t, size_t, size_t, size_t, size_t)');
  const newContext = node.func('size_t EVP_MD_CTX_new()');
  const init = node.func('int EVP_DigestInit_ex2(size_t, size_t, size_t)');
  const update = node.func('int EVP_DigestUpdate(size_t, size_t, size_t)');
  const final = node.func('int EVP_DigestFinal_ex(size_t, size_t, size_t)');
  let sha256Lanes: OpenSsl['sha256Lanes'];
  try {
    sha256Lanes = node.func('void sha256_multi_block(size_t, size_t, int)');
  } catch {
    // Another processor, or another OpenSSL.
  }
  const ok = (result: number): void => {
    if (result !== 1) throw new Error('OpenSSL refused a digest operation');
  };
  return {
    addressOf: (array) => Number(koffi.address(array)),
    fetchDigest: (name) => fetch(0, name, 0) as Address,
    digest: (data, length, out, type) => ok(digest(data, length, out, 0, type, 0) as number),
    newContext: () => newContext() as Address,
    init: (context, type) => ok(init(context, type, 0) as number),
    update: (context, data, length) => ok(update(context, data, length) as number),
    final: (context, out) => ok(final(context, out, 0) as number),
    sha256Lanes,
  };
}

/** True when the functions give the answers of `node:crypto` here. */
function works(ssl: OpenSsl): boolean {
  const sample = Buffer.allocUnsafeSlow(8192).fill('sample');
  const out = Buffer.allocUnsafeSlow(4096);
  const address = ssl.addressOf(sample);
  for (const [name, size] of [
    ['sha256', 32],
    ['sha512', 64],
  ] as const) {
    const type = ssl.fetchDigest(name);
    if (type === 0) return false;
    ssl.digest(address + 1, 4096, ssl.addressOf(out) + 7, type);
    const context = ssl.newContext();
    ssl.init(context, type);
    ssl.update(context, address + 1, 96);
    ssl.update(context, address + 97, 4000);
    ssl.final(context, ssl.addressOf(out) + 1000);
    const right = hash(name, sample.subarray(1, 4097), 'hex');
    if (out.toString('hex', 7, 7 + size) !== right || out.toString('hex', 1000, 1000 + size) !== right) return false;
  }
  return true;
}

let loaded: OpenSsl | null | undefined;

/** The functions, or undefined where they cannot be used. */
export function openssl(): OpenSsl | undefined {
  if (loaded === undefined) {
    loaded = null;
    try {
      const candidate = load();
      if (works(candidate)) loaded = candidate;
    } catch {
      // koffi has no build for this platform, or this Node hides its OpenSSL.
    }
  }
  return loaded ?? undefined;
}

/** Addresses know no bounds: every native call on part of an array goes through this. */
export function checkRange(array: Uint8Array, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > array.length) throw new RangeError('outside the array');
}
