/** Buffers that are used again and again: memory outside of the heap makes the engine collect all garbage when much of it is new. */

const SMALLEST = 128 * 1024;
/** Bytes that are kept for later. */
const MOST_KEPT = 8 * 1024 * 1024;

export class Slabs {
  readonly #free: Buffer[] = [];
  #kept = 0;

  /** A buffer of at least `size` bytes, with anything in it. */
  take(size: number): Buffer {
    const found = this.#free.findLastIndex((slab) => slab.length >= size);
    if (found !== -1) {
      const [slab] = this.#free.splice(found, 1);
      this.#kept -= slab!.length;
      return slab!;
    }
    let length = SMALLEST;
    while (length < size) length *= 2;
    return Buffer.allocUnsafeSlow(length);
  }

  /** Takes back a buffer that nobody reads any more. */
  give(slab: Buffer): void {
    if (this.#kept + slab.length > MOST_KEPT) return;
    this.#free.push(slab);
    this.#kept += slab.length;
  }
}
