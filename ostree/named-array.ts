/**
 * Looking for names in GVariant arrays whose elements begin with a string: refs, collections, metadata keys. Names are compared as
 * the bytes they are stored in, whose order is the one that OSTree sorts by, and elements are not decoded for it.
 */
import { bisect, type GVariantArray } from '../gvariant/src/array.ts';

/** Bytes of a name, without its NUL. Throws a `GVariantError` for an element that cannot be told apart from its neighbours. */
export function nameBytes(array: GVariantArray<unknown>, index: number): Uint8Array {
  const bytes = array.bytesAt(index);
  const nul = bytes.indexOf(0);
  return nul === -1 ? bytes : bytes.subarray(0, nul);
}

/** The first index whose element has this name, going through all of them. */
export function scanNamed(array: GVariantArray<unknown>, name: string, from = 0): number | undefined {
  const wanted = bytesOf(name);
  if (wanted === undefined) return undefined;
  for (let index = from; index < array.length; index++) {
    const bytes = array.bytesAt(index);
    if (bytes[wanted.length] === 0 && wanted.compare(bytes, 0, wanted.length) === 0) return index;
  }
  return undefined;
}

/** The index of the element with this name, by binary search; undefined also where the array is not sorted. */
export function bisectNamed(array: GVariantArray<unknown>, name: string): number | undefined {
  const wanted = bytesOf(name);
  if (wanted === undefined) return undefined;
  const compared = {
    length: array.length,
    at: (index: number) => ({ index, order: -wanted.compare(nameBytes(array, index)) }),
  };
  return bisect(compared, ({ order }) => order)?.index;
}

/** Undefined for what no stored name can be. */
function bytesOf(name: string): Buffer | undefined {
  return name.includes('\0') || !name.isWellFormed() ? undefined : Buffer.from(name);
}
