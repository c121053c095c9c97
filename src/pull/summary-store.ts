/** The summaries of remotes that a repository keeps (summary-cache.ts), for a source over HTTP. */
import { CfsError } from '../../bytes/errors.ts';
import type { CachedSummary, SummaryCache } from '../../ostree/http/remote-refs.ts';
import {
  decodeSummaryCache,
  encodeSummaryCache,
  subSummaryStreamName,
  summaryStreamName,
} from '../commit/summary-cache.ts';
import { readObject } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import { findStream } from '../repository/streams.ts';

/** Larger summaries are not kept. */
const MAX_KEPT = 64 * 1024 * 1024;

/** Bytes of the longest name of a subset that leaves room for the rest of a stream's name. */
const MAX_SUBSET = 64;

/** What is stored waits for `save`: the repository need not be there before something has been found to pull. */
export class SummaryStore implements SummaryCache {
  readonly #repository: Repository | undefined;
  readonly #fresh = new Map<string, Omit<CachedSummary, 'checksum'>>();

  /** @param repository is where summaries were kept earlier, if it is there. */
  constructor(repository: Repository | undefined) {
    this.#repository = repository;
  }

  /** Undefined also for a stream that is damaged: then the summary is fetched. */
  load(url: string, subset?: string): CachedSummary | undefined {
    const repository = this.#repository;
    const name = nameOf(url, subset);
    if (repository === undefined || name === undefined) return undefined;
    try {
      const id = findStream(repository, name);
      return id === undefined ? undefined : decodeSummaryCache(readObject(repository, id), repository.algorithm);
    } catch (error) {
      if (error instanceof CfsError) return undefined;
      throw error;
    }
  }

  store(url: string, subset: string | undefined, entry: Omit<CachedSummary, 'checksum'>): void {
    const name = nameOf(url, subset);
    if (name !== undefined && entry.summary.length <= MAX_KEPT) this.#fresh.set(name, entry);
  }

  /** Writes what is new. */
  async save(repository: Repository, signal?: AbortSignal): Promise<void> {
    if (this.#fresh.size === 0) return;
    using transaction = await repository.begin({ signal });
    for (const [name, entry] of this.#fresh) {
      transaction.linkStream(name, transaction.storeBytes(encodeSummaryCache(repository.algorithm, entry)));
    }
    await transaction.commit();
    this.#fresh.clear();
  }
}

/** Undefined for a subset whose name is too long for a stream's. */
function nameOf(url: string, subset: string | undefined): string | undefined {
  if (subset === undefined) return summaryStreamName(url);
  return Buffer.byteLength(subset) <= MAX_SUBSET ? subSummaryStreamName(subset, url) : undefined;
}
