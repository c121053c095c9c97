/** Which objects are there, by their names: quicker than a look at each where most of a repository is asked for. */
import { join } from 'node:path';
import type { ObjectId } from '../verity/object-id.ts';
import { listNames } from './object-files.ts';

export class ObjectNames {
  readonly #objects: string;
  /** By prefix. A directory is read when one of its objects is asked for. */
  readonly #names = new Map<string, ReadonlySet<string>>();

  /** @param objects the `objects` directory. */
  constructor(objects: string) {
    this.#objects = objects;
  }

  /** False may also mean that it was stored since its directory was read. */
  has(id: ObjectId): boolean {
    const prefix = id.slice(0, 2);
    let names = this.#names.get(prefix);
    if (names === undefined) this.#names.set(prefix, (names = new Set(listNames(join(this.#objects, prefix)))));
    return names.has(id.slice(2));
  }
}
