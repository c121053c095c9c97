/** How a new file is told in terms of an old one: as copies of its parts and new bytes between them, or as a patch. */
import { align, commonLength, type Alignment } from './align.ts';
import { encodePatch } from './bsdiff.ts';

/** `target[start, +length]` is `source[source, +length]`, exactly. */
export type Copy = Alignment;

export type Difference =
  | { readonly kind: 'copies'; readonly copies: readonly Copy[] }
  | { readonly kind: 'patch'; readonly patch: Uint8Array };

/** A copy costs two operations with their operands, so shorter ones are new bytes instead. */
const MIN_COPY = 16;

/** What things cost in the compressed part, in bytes, roughly. */
const cost = {
  /** A copy, the new bytes behind it, and the change of the source between them. */
  copy: 9,
  newByte: 0.6,
  /** A record of a patch. */
  record: 11,
  /** A byte of a patch that is not 0, and where it is. */
  changedByte: 1.6,
  /** A byte of a patch that is 0. */
  zero: 1 / 5000,
  /** The checksum of the source, and the operations without which there is no copy and no patch. */
  source: 44,
};

/**
 * The cheapest way from `source` to `target`.
 * @param options.patch false allows copies only.
 * @returns undefined if `target` as a whole is cheaper.
 */
export function difference(
  source: Uint8Array,
  target: Uint8Array,
  { patch = true }: { readonly patch?: boolean } = {},
): Difference | undefined {
  const alignments = align(source, target);
  const copies = exactCopies(source, target, alignments);
  const copied = sum(copies);
  const copyCost = cost.source + copies.length * cost.copy + (target.length - copied) * cost.newByte;
  const patchCost = patch ? patchCostOf(source, target, alignments) : Infinity;
  if (Math.min(copyCost, patchCost) >= target.length * cost.newByte) return undefined;
  if (copyCost <= patchCost) return { kind: 'copies', copies };
  return { kind: 'patch', patch: encodePatch(source, target, alignments) };
}

function sum(parts: readonly Alignment[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

function patchCostOf(source: Uint8Array, target: Uint8Array, alignments: readonly Alignment[]): number {
  const aligned = sum(alignments);
  let changed = 0;
  for (const { start, length, source: from } of alignments) {
    for (let i = 0; i < length; i++) if (target[start + i] !== source[from + i]) changed++;
  }
  return (
    cost.source +
    alignments.length * cost.record +
    changed * cost.changedByte +
    (aligned - changed) * cost.zero +
    (target.length - aligned) * cost.newByte
  );
}

/** The runs within the alignments where not a byte differs. */
function exactCopies(source: Uint8Array, target: Uint8Array, alignments: readonly Alignment[]): Copy[] {
  const copies: Copy[] = [];
  for (const { start, length, source: from } of alignments) {
    for (let i = 0; i < length;) {
      const run = Math.min(length - i, commonLength(source, from + i, target, start + i));
      if (run >= MIN_COPY) copies.push({ start: start + i, length: run, source: from + i });
      i += run + 1;
    }
  }
  return copies;
}
