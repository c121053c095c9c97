/**
 * Objects in use, of which there may be millions: by 56 bits of their digests, as whole ones would take more memory and
 * longer to look up. So an object may, once in a hundred thousand collections of a million, be taken for one in use although it is not:
 * it stays. Never the other way round.
 */
import type { ObjectId } from '../verity/object-id.ts';

/** Up to this length, V8 copies a part of a string instead of keeping all of it. */
const KEY_LENGTH = 12;

export class LiveObjects {
  /** By the first byte. */
  readonly #keys = new Map<string, Set<string>>();

  add(id: ObjectId): void {
    const prefix = id.slice(0, 2);
    let keys = this.#keys.get(prefix);
    if (keys === undefined) this.#keys.set(prefix, (keys = new Set()));
    keys.add(id.slice(2, 2 + KEY_LENGTH));
  }

  has(id: ObjectId): boolean {
    return this.#keys.get(id.slice(0, 2))?.has(id.slice(2, 2 + KEY_LENGTH)) === true;
  }
}
