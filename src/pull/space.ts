/**
 * Room on the repository's file system: what a pull needs is compared with what is free less a reserve, before content is fetched where
 * it is known by then, and file by file in any case.
 */
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { LocalRepository } from '../../ostree/local/repository.ts';
import type { Source } from '../../ostree/source.ts';

/** What is kept free: bytes, or a percentage of the file system. */
export type FreeSpace = { readonly bytes: number } | { readonly percent: number };

export const DEFAULT_RESERVE: FreeSpace = { percent: 3 };

/** Bytes of a block of most file systems: a file takes whole ones. */
const BLOCK = 4096;

export interface Space {
  /** Bytes that may be written, for this user. */
  readonly free: number;
  /** Bytes of them that are kept free. */
  readonly reserve: number;
}

/** Looks at the file system of `path`, or of the nearest folder above it that there is. */
export function measureSpace(path: string, reserve: FreeSpace): Space {
  try {
    const { bavail, bsize, blocks } = statfsSync(path);
    return {
      free: bavail * bsize,
      reserve: 'bytes' in reserve ? reserve.bytes : Math.ceil((blocks * bsize * reserve.percent) / 100),
    };
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error;
    return measureSpace(dirname(path), reserve);
  }
}

/** True if files of the source may become clones, which take no space. */
export function mayShareBlocks(source: Source, path: string): boolean {
  if (!(source instanceof LocalRepository)) return false;
  const { dev } = statSync(path);
  return source.stores.some((store) => store.config.mode !== 'archive' && statSync(store.path).dev === dev);
}

/** Bytes that a file of this size takes. */
export function storedSize(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function sizeText(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** @throws CfsError NO_SPACE if `needed` bytes do not fit. */
export function assertSpace(path: string, what: string, needed: number, { free, reserve }: Space): void {
  const lacking = needed - (free - reserve);
  if (lacking <= 0) return;
  throw new CfsError(
    'NO_SPACE',
    `Cannot store ${what} in ${path}: ${sizeText(needed)} are needed, ${sizeText(free)} are free, of which ` +
      `${sizeText(reserve)} are kept free (--min-free-space); free ${sizeText(lacking)} more and pull again`,
    { path, needed, free, reserve, lacking },
  );
}

/** What content threads share of the space: plain data and shared memory. */
export interface SpaceBudget {
  readonly path: string;
  /** Bytes that are kept free. */
  readonly reserve: number;
  /** One 64-bit number: bytes that may still be written before the file system is asked again. */
  readonly left: SharedArrayBuffer;
}

export function spaceBudget(path: string, { free, reserve }: Space): SpaceBudget {
  const left = new SharedArrayBuffer(8);
  new BigInt64Array(left)[0] = BigInt(Math.floor(free - reserve));
  return { path, reserve, left };
}

/** Takes the space of a file from the budget, before it is written. @throws CfsError NO_SPACE */
export function takeSpace({ path, reserve, left }: SpaceBudget, checksum: OstreeChecksum, size: number): void {
  const bytes = new BigInt64Array(left);
  const needed = storedSize(size);
  if (Atomics.sub(bytes, 0, BigInt(needed)) >= BigInt(needed)) return;
  // Others write, remove and clone too, and objects that were there took nothing: the file system knows.
  const space = measureSpace(path, { bytes: reserve });
  assertSpace(path, `file object ${checksum}`, needed, space);
  Atomics.store(bytes, 0, BigInt(Math.floor(space.free - reserve - needed)));
}

/** What a full file system means for a pull: an error that says what to do. Others stay as they are. */
export function explainFull(error: unknown, path: string, missing: number | undefined): unknown {
  if (!hasCode(error, 'ENOSPC', 'EDQUOT')) return error;
  const { free } = measureSpace(path, { bytes: 0 });
  const lacking = missing === undefined ? undefined : Math.max(missing - free, BLOCK);
  const rest =
    missing === undefined
      ? ''
      : `; ${sizeText(missing)} of this pull were still to be stored, with ${sizeText(free)} free`;
  return new CfsError(
    'NO_SPACE',
    `No space is left on the file system of ${path}${rest}; what was stored is kept: make room and pull again`,
    { path, free, needed: missing, lacking },
    error,
  );
}
