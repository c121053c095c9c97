/** Patches and copies applied as the format's description says, independently of the program's own code. */
import assert from 'node:assert/strict';
import type { Copy, Difference } from '../../../../ostree/delta/make/difference.ts';

export function applyPatch(source: Uint8Array, patch: Uint8Array, size: number): Uint8Array {
  const view = new DataView(patch.buffer, patch.byteOffset, patch.length);
  const integer = (at: number): number => {
    const raw = view.getBigUint64(at, true);
    const value = Number(raw & 0x7fff_ffff_ffff_ffffn);
    return raw >> 63n === 1n ? -value : value;
  };
  const out = new Uint8Array(size);
  let [at, old, made] = [0, 0, 0];
  while (made < size) {
    const [differing, extra, seek] = [integer(at), integer(at + 8), integer(at + 16)] as const;
    assert(differing >= 0 && extra >= 0 && made + differing + extra <= size, 'a record of wrong lengths');
    at += 24;
    for (let i = 0; i < differing; i++) out[made++] = patch[at++]! + (source[old + i] ?? 0);
    for (let i = 0; i < extra; i++) out[made++] = patch[at++]!;
    old += differing + seek;
  }
  assert.equal(at, patch.length, 'bytes behind the last record');
  return out;
}

/** What a file is made of its source, with new bytes taken from `target` where no copy is. */
export function applyCopies(source: Uint8Array, target: Uint8Array, copies: readonly Copy[]): Uint8Array {
  const out = new Uint8Array(target);
  let end = 0;
  for (const copy of copies) {
    assert(copy.start >= end && copy.length > 0, 'copies are out of order');
    assert(copy.source >= 0 && copy.source + copy.length <= source.length, 'a copy is outside of the source');
    end = copy.start + copy.length;
    assert(end <= target.length, 'a copy is outside of the target');
    out.set(source.subarray(copy.source, copy.source + copy.length), copy.start);
  }
  return out;
}

export function apply(source: Uint8Array, target: Uint8Array, found: Difference): Uint8Array {
  return found.kind === 'copies'
    ? applyCopies(source, target, found.copies)
    : applyPatch(source, found.patch, target.length);
}
