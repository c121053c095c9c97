/**
 * Byte-wise order of UTF-8 text, the order in which OSTree sorts file names. It is the order of code points, which differs
 * from JavaScript's `<` (the order of UTF-16 units) where surrogate pairs meet U+E000…U+FFFF.
 */

/** Negative, zero or positive, as `memcmp` of the UTF-8 forms. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates (code points from U+10000) above every other unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
