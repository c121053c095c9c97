/**
 * Metadata objects on their way, bounded together. Nearly all are small, and many come at the same time; of those that are not, one
 * at a time is fetched, so that what a server sends takes no more memory than one of them and the small ones.
 */
import { CfsError, type NotFoundError } from '../../bytes/errors.ts';

/** Bytes of a small object. A dirtree of so many has about 10,000 entries. */
const SMALL = 1024 * 1024;

/** Fetches an object of at most `limit` bytes, or of any size that is allowed at all. @throws CfsError LIMIT with that limit */
type FetchObject = (limit?: number) => Promise<Uint8Array | NotFoundError>;

export class BoundedFetch {
  #last: Promise<unknown> = Promise.resolve();

  /** @param fetch is called again if the object is not small. */
  async run(fetch: FetchObject): Promise<Uint8Array | NotFoundError> {
    try {
      return await fetch(SMALL);
    } catch (error) {
      if (!(error instanceof CfsError) || error.code !== 'LIMIT' || error.facts['limit'] !== SMALL) throw error;
    }
    const alone = this.#last.then(() => fetch());
    this.#last = alone.catch(() => undefined);
    return alone;
  }
}
