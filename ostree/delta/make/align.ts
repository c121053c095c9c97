/**
 * Alignment of a new file with an old one: which parts of it are, byte for byte or nearly, parts of the old one.
 *
 * 1. Anchors: from the start of the new file on, exact matches, first where the last one would go on (on the same diagonal: the same
 *    distance between the positions in both files), else where the index of the old file has one.
 * 2. Each anchor is extended into the gaps beside it as long as half of the bytes match, and where two meet, the border is put
 *    where most bytes match: what moved within a program differs only in addresses.
 *
 * Time grows with the sizes of the files, whatever they hold: each byte is looked at a bounded number of times.
 */
import { rollHash, SEED, SeedIndex, windowHash } from './seed-index.ts';

/** `target[start, +length]` is like `source[source, +length]`. */
export interface Alignment {
  readonly start: number;
  readonly length: number;
  readonly source: number;
}

interface Anchor {
  readonly start: number;
  end: number;
  /** Position in the source less position in the target. */
  readonly diagonal: number;
}

/** After a match ends, it goes on if so many bytes match again … */
const RESUME_RUN = 16;
/** … after at most so many others. */
const RESUME_GAP = 16;
/** A match on the old diagonal that is taken where the index has nothing better. */
const WEAK_RUN = 12;
/** What a match on another diagonal must have more than the old one: it costs a new record. */
const SWITCH_GAIN = 8;
/** Bytes that differ within one record: more than this, and a new one is cheaper. */
const MERGE_GAP = 64;
/** Bytes behind an exact match that tell which of several is the right one. */
const LOOK_AHEAD = 64;
/** Twice so many bytes at most are passed over at once. */
const MAX_STRIDE = 8;
/** Bytes that are compared at once once many were equal. */
const BLOCK = 1024;

/** Number of equal bytes from `a[i]` and `b[j]` on. */
export function commonLength(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  const most = Math.min(a.length - i, b.length - j);
  const near = Math.min(most, 64);
  let n = 0;
  while (n < near && a[i + n] === b[j + n]) n++;
  if (n < near || n === most) return n;
  while (n + BLOCK <= most && equalBlocks(a, i + n, b, j + n)) n += BLOCK;
  while (n < most && a[i + n] === b[j + n]) n++;
  return n;
}

function equalBlocks(a: Uint8Array, i: number, b: Uint8Array, j: number): boolean {
  return Buffer.compare(a.subarray(i, i + BLOCK), b.subarray(j, j + BLOCK)) === 0;
}

/** Number of equal bytes before `a[i]` and `b[j]`, at most `most`. */
function commonBefore(a: Uint8Array, i: number, b: Uint8Array, j: number, most: number): number {
  const limit = Math.min(most, i, j);
  let n = 0;
  while (n < limit && a[i - n - 1] === b[j - n - 1]) n++;
  return n;
}

/** Bytes of `target[start, end)` that are the same on a diagonal. */
function matches(source: Uint8Array, target: Uint8Array, diagonal: number, start: number, end: number): number {
  const last = Math.min(end, target.length, source.length - diagonal);
  let count = 0;
  for (let i = Math.max(start, -diagonal); i < last; i++) if (source[i + diagonal] === target[i]) count++;
  return count;
}

/** The alignments of `target` with `source`, in the order of `target`, without overlap there; none need cover all of it. */
export function align(source: Uint8Array, target: Uint8Array): Alignment[] {
  return extend(source, target, findAnchors(source, target));
}

function findAnchors(source: Uint8Array, target: Uint8Array): Anchor[] {
  const anchors: Anchor[] = [];
  let index: SeedIndex | undefined;
  let diagonal = 0;
  /** End of the last anchor. */
  let end = 0;
  let at = 0;
  /** Position of the window that `hash` is of. */
  let hashed = -1;
  let hash = 0;

  const add = (start: number, length: number, on: number): void => {
    const last = anchors.at(-1);
    if (last !== undefined && last.end === start && last.diagonal === on) last.end = start + length;
    else anchors.push({ start, end: start + length, diagonal: on });
    diagonal = on;
    end = start + length;
    at = end;
  };
  const runAt = (position: number): number =>
    position + diagonal < 0 || position + diagonal >= source.length
      ? 0
      : commonLength(source, position + diagonal, target, position);

  while (at < target.length) {
    if (at === end) {
      const gap = resumeGap(source, target, at, diagonal);
      if (gap >= 0) {
        add(at + gap, runAt(at + gap), diagonal);
        continue;
      }
    }
    if (at + SEED > target.length) break;
    index ??= new SeedIndex(source);
    hash = hashed === at - 1 && at > 0 ? rollHash(hash, target, at - 1) : windowHash(target, at);
    hashed = at;
    let best = 0;
    let bestAt = 0;
    let bestScore = 0;
    const count = index.find(hash);
    for (let i = 0; i < count; i++) {
      const candidate = index.found[i]!;
      const length = commonLength(source, candidate, target, at);
      if (length < SEED) continue;
      const score = length + matches(source, target, candidate - at, at + length, at + length + LOOK_AHEAD);
      if (score <= bestScore) continue;
      bestScore = score;
      best = length;
      bestAt = candidate;
    }
    if (best >= SEED) {
      const found = bestAt - at;
      const kept = anchors.length === 0 ? 0 : matches(source, target, diagonal, at, at + best);
      const canKeep = found !== diagonal && at + best + diagonal <= source.length;
      if (canKeep && best <= kept + SWITCH_GAIN) {
        // Going on as before is as good, though not exact.
        add(at, best, diagonal);
        continue;
      }
      const before = commonBefore(source, bestAt, target, at, at - end);
      add(at - before, best + before, found);
      continue;
    }
    const weak = runAt(at);
    if (weak >= WEAK_RUN) add(at, weak, diagonal);
    else at += strideAfter(at - end);
  }
  return anchors;
}

/**
 * How far to go on after so many bytes without a match: further and further where nothing is found, as in compressed files. An odd number
 * meets windows of every distance; what is missed before a match is found by looking back from it.
 */
function strideAfter(missed: number): number {
  return 1 + 2 * Math.min(MAX_STRIDE, missed >> 9);
}

/** How far behind `at` the diagonal matches again; -1 if it does not soon. */
function resumeGap(source: Uint8Array, target: Uint8Array, at: number, diagonal: number): number {
  const limit = Math.min(source.length - diagonal, target.length);
  let run = 0;
  for (let i = Math.max(at, -diagonal); i < limit; i++) {
    run = source[i + diagonal] === target[i] ? run + 1 : 0;
    if (run === RESUME_RUN) return i + 1 - RESUME_RUN - at;
    if (i - run - at >= RESUME_GAP) return -1;
  }
  return -1;
}

function extend(source: Uint8Array, target: Uint8Array, anchors: readonly Anchor[]): Alignment[] {
  const alignments: Alignment[] = [];
  let open: Anchor | undefined;
  const close = (): void => {
    if (open === undefined || open.end === open.start) return;
    alignments.push({ start: open.start, length: open.end - open.start, source: open.start + open.diagonal });
  };
  for (const anchor of anchors) {
    const gapStart = open?.end ?? 0;
    const gap = anchor.start - gapStart;
    if (open !== undefined && open.diagonal === anchor.diagonal) {
      const isShort = gap <= MERGE_GAP || 2 * matches(source, target, open.diagonal, gapStart, anchor.start) >= gap;
      if (isShort) {
        open.end = anchor.end;
        continue;
      }
    }
    let forward = open === undefined ? 0 : reach(source, target, open.diagonal, gapStart, anchor.start, 1);
    let backward = reach(source, target, anchor.diagonal, anchor.start - 1, gapStart - 1, -1);
    if (forward + backward > gap) {
      const first = anchor.start - backward;
      const split = bestSplit(source, target, open!.diagonal, anchor.diagonal, first, gapStart + forward);
      forward = split - gapStart;
      backward = anchor.start - split;
    }
    if (open !== undefined) open.end += forward;
    close();
    open = { start: anchor.start - backward, end: anchor.end, diagonal: anchor.diagonal };
  }
  if (open !== undefined) open.end += reach(source, target, open.diagonal, open.end, target.length, 1);
  close();
  return alignments;
}

/** How far from `from` towards `to` (exclusive) a diagonal is worth following: the length with the most matches over mismatches. */
function reach(
  source: Uint8Array,
  target: Uint8Array,
  diagonal: number,
  from: number,
  to: number,
  step: 1 | -1,
): number {
  const limit = step === 1 ? Math.min(to, source.length - diagonal) : Math.max(to, -diagonal - 1);
  if (step === 1 ? from + diagonal < 0 : from + diagonal >= source.length) return 0;
  let score = 0;
  let best = 0;
  let length = 0;
  for (let i = from; i !== limit && (limit - i) * step > 0; i += step) {
    score += source[i + diagonal] === target[i] ? 1 : -1;
    if (score <= best) continue;
    best = score;
    length = (i - from) * step + 1;
  }
  return length;
}

/** The position between `start` and `end` up to which the left diagonal, and from which on the right one, matches best. */
function bestSplit(
  source: Uint8Array,
  target: Uint8Array,
  left: number,
  right: number,
  start: number,
  end: number,
): number {
  let score = 0;
  let best = 0;
  let split = start;
  for (let i = start; i < end; i++) {
    if (source[i + left] === target[i]) score++;
    if (source[i + right] === target[i]) score--;
    if (score <= best) continue;
    best = score;
    split = i + 1;
  }
  return split;
}
