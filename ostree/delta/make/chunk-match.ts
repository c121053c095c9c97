/**
 * Copies between files too large for memory: both are cut where their content says (a rolling hash of 32 bytes), so that what is
 * inserted or removed moves the cuts with it, and pieces of the same SHA-256 are the same.
 */
import { hash } from 'node:crypto';
import type { Copy } from './difference.ts';

const MIN_CHUNK = 4 * 1024;
const MAX_CHUNK = 128 * 1024;
/** One position in so many is a cut. */
const AVERAGE = 16 * 1024;
/** The bits that the most bytes have gone into. */
const CUT_MASK = (AVERAGE - 1) << 18;

/** A number for each byte, the same in every run. */
const gear = Int32Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(hash('sha256', `gear ${byte}`, 'buffer')).readInt32LE(),
);

interface Chunk {
  readonly start: number;
  readonly length: number;
  readonly digest: string;
}

function* cut(content: Iterable<Uint8Array>): Generator<Chunk, void, undefined> {
  const chunk = Buffer.alloc(MAX_CHUNK);
  let start = 0;
  let length = 0;
  let rolling = 0;
  const take = (): Chunk => {
    const taken = { start, length, digest: hash('sha256', chunk.subarray(0, length), 'base64') };
    start += length;
    length = 0;
    rolling = 0;
    return taken;
  };
  for (const bytes of content) {
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      chunk[length++] = byte;
      rolling = ((rolling << 1) + gear[byte]!) | 0;
      if (length === MAX_CHUNK || ((rolling & CUT_MASK) === 0 && length >= MIN_CHUNK)) yield take();
    }
  }
  if (length > 0) yield take();
}

/** What `target` has of `source`, both read once from the start to the end. Memory: some hundred bytes for each 16 KiB of `source`. */
export function chunkCopies(source: Iterable<Uint8Array>, target: Iterable<Uint8Array>): Copy[] {
  const known = new Map<string, number>();
  for (const { start, digest } of cut(source)) if (!known.has(digest)) known.set(digest, start);
  const copies: Copy[] = [];
  for (const { start, length, digest } of cut(target)) {
    const from = known.get(digest);
    if (from === undefined) continue;
    const last = copies.at(-1);
    if (last !== undefined && last.start + last.length === start && last.source + last.length === from) {
      copies[copies.length - 1] = { ...last, length: last.length + length };
    } else {
      copies.push({ start, length, source: from });
    }
  }
  return copies;
}
