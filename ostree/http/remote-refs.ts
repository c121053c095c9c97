/** The refs of a remote: from its summary, flatpak's `summary.idx` where it has none, or the files below `refs/heads`. */
import { FormatError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import { checksumOf, isChecksum, type OstreeChecksum } from '../checksum.ts';
import { decodeSummary, type Summary } from '../summary.ts';
import {
  decodeSummaryIndex,
  decompressSubSummary,
  subSummaryPath,
  subsetFor,
  type SummaryIndex,
} from '../summary-index.ts';
import { refusePage } from './page.ts';
import type { Remote } from './remote.ts';

/** The largest file of a ref that is read: more than a checksum, so that a page can be told from one. */
const MAX_REF_SIZE = 1024 * 1024;

/** A summary, or uncompressed sub-summary, as it was fetched once. */
export interface CachedSummary {
  /** Validators as the server sent them, undefined if it did not. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly summary: Uint8Array;
  readonly checksum: OstreeChecksum;
}

/** Summaries of earlier pulls. */
export interface SummaryCache {
  /** What was kept of the repository at `url`: its summary, or the sub-summary of a subset. */
  load(url: string, subset?: string): CachedSummary | undefined;
  store(url: string, subset: string | undefined, entry: Omit<CachedSummary, 'checksum'>): void;
}

export interface RefServices {
  readonly cache?: SummaryCache | undefined;
  /** The summary, if it is known already, as by a metalink. */
  readonly summary?: Uint8Array | undefined;
}

export interface ListRefsOptions {
  /** Only the refs of this subset of flatpak's `summary.idx`. */
  readonly subset?: string | undefined;
  /** Which names are wanted; the others are not decoded. */
  readonly match?: ((ref: string) => boolean) | undefined;
}

/** What one of two names lists; each is fetched once, when it is needed. */
export class RemoteRefs {
  readonly #remote: Remote;
  readonly #cache: SummaryCache | undefined;
  #summary: Promise<Summary | undefined> | undefined;
  #index: Promise<SummaryIndex | undefined> | undefined;
  readonly #subsets = new Map<string, Promise<Summary>>();

  constructor(remote: Remote, { cache, summary }: RefServices = {}) {
    this.#remote = remote;
    this.#cache = cache;
    if (summary !== undefined) this.#summary = Promise.resolve(decodeSummary(summary, remote.urlOf('summary')));
  }

  /** The repository's summary, if it has one. */
  summary(signal?: AbortSignal): Promise<Summary | undefined> {
    return this.#fetchSummary(signal);
  }

  /** The commit of a ref; undefined if neither a summary nor a file has it. @throws FormatError for a file that holds none. */
  async find(ref: string, signal?: AbortSignal): Promise<OstreeChecksum | undefined> {
    const listed = (await this.#summaryWith(ref, signal))?.find(ref);
    return listed?.commit ?? (await this.#readFile(ref, signal));
  }

  async #summaryWith(ref: string, signal: AbortSignal | undefined): Promise<Summary | undefined> {
    const summary = await this.#fetchSummary(signal);
    if (summary !== undefined) return summary;
    const index = await this.#fetchIndex(signal);
    const subset = index && subsetFor(index, ref);
    return subset === undefined ? undefined : this.#fetchSubset(index!, subset, signal);
  }

  async #readFile(ref: string, signal: AbortSignal | undefined): Promise<OstreeChecksum | undefined> {
    const path = `refs/heads/${ref}`;
    const url = this.#remote.urlOf(path);
    const invalid = (text: string, cause?: unknown) =>
      new FormatError(`ref ${url}`, 'checksum', `Invalid rev ${text}`, undefined, cause);
    let bytes;
    try {
      bytes = await this.#remote.fetch(path, { limit: MAX_REF_SIZE, verify: refusePage(url), signal });
    } catch (error) {
      if (hasCode(error, 'LIMIT')) throw invalid(`of more than ${MAX_REF_SIZE} bytes`, error);
      throw error;
    }
    if (bytes instanceof NotFoundError) return undefined;
    const text = Buffer.from(bytes).toString().trimEnd();
    if (isChecksum(text)) return text;
    throw invalid(JSON.stringify(text.slice(0, 80)));
  }

  /**
   * All refs by name, or those that the options choose.
   * @throws NotFoundError if there is neither file, or no such subset.
   */
  async list(signal?: AbortSignal, options: ListRefsOptions = {}): Promise<ReadonlyMap<string, OstreeChecksum>> {
    const { subset, match } = options;
    const summary = subset === undefined ? await this.#fetchSummary(signal) : undefined;
    const summaries = summary === undefined ? await this.#subsetsOf(subset, signal) : [summary];
    const refs = new Map<string, OstreeChecksum>();
    for (const each of summaries) {
      for (const { ref, commit } of each.list({ match })) refs.set(ref, commit);
    }
    return refs;
  }

  async #subsetsOf(subset: string | undefined, signal: AbortSignal | undefined): Promise<Summary[]> {
    const index = await this.#fetchIndex(signal);
    const url = this.#remote.location;
    if (index === undefined) {
      const problem = subset === undefined ? 'neither a summary nor a summary.idx' : 'no summary.idx, so no subsets';
      throw new NotFoundError(`Cannot list the refs of ${url}: it has ${problem}`, { url });
    }
    const all = Array.from(index.subsets.keys());
    if (subset !== undefined && !index.subsets.has(subset)) {
      throw new NotFoundError(`There is no subset '${subset}' at ${url}, only ${all.join(', ')}`, { url, subset });
    }
    const summaries: Summary[] = [];
    for (const name of subset === undefined ? all : [subset]) {
      summaries.push(await this.#fetchSubset(index, name, signal));
    }
    return summaries;
  }

  #fetchSummary(signal: AbortSignal | undefined): Promise<Summary | undefined> {
    return (this.#summary ??= this.#revalidate(signal));
  }

  /** The summary that was kept, if the server says that it has not changed, else that of the server. */
  async #revalidate(signal: AbortSignal | undefined): Promise<Summary | undefined> {
    const { location } = this.#remote;
    const kept = this.#cache?.load(location);
    const found = await this.#remote.fetchAnew('summary', {
      etag: kept?.etag,
      // Where there is an ETag, a date says less.
      lastModified: kept?.etag === undefined ? kept?.lastModified : undefined,
      verify: refusePage(this.#remote.urlOf('summary')),
      signal,
    });
    if (found instanceof NotFoundError) return undefined;
    const { status, etag, lastModified, bytes } = found;
    const summary = decodeSummary(status === 304 ? kept!.summary : bytes, this.#remote.urlOf('summary'));
    if (this.#cache !== undefined && status !== 304 && (etag ?? lastModified) !== undefined) {
      const same = etag === kept?.etag && lastModified === kept?.lastModified && checksumOf(bytes) === kept?.checksum;
      if (!same) this.#cache.store(location, undefined, { etag, lastModified, summary: bytes });
    }
    return summary;
  }

  #fetchIndex(signal: AbortSignal | undefined): Promise<SummaryIndex | undefined> {
    return (this.#index ??= this.#readIndex(signal));
  }

  async #readIndex(signal: AbortSignal | undefined): Promise<SummaryIndex | undefined> {
    const verify = refusePage(this.#remote.urlOf('summary.idx'));
    const bytes = await this.#remote.fetch('summary.idx', { verify, signal });
    return bytes instanceof NotFoundError ? undefined : decodeSummaryIndex(bytes);
  }

  #fetchSubset(index: SummaryIndex, name: string, signal: AbortSignal | undefined): Promise<Summary> {
    const known = this.#subsets.get(name);
    if (known !== undefined) return known;
    const { digest } = index.subsets.get(name)!;
    const fetched = this.#fetchSubSummary(name, digest, signal);
    this.#subsets.set(name, fetched);
    return fetched;
  }

  async #fetchSubSummary(subset: string, digest: string, signal: AbortSignal | undefined): Promise<Summary> {
    const { location } = this.#remote;
    const path = subSummaryPath(digest);
    const kept = this.#cache?.load(location, subset);
    if (kept?.checksum === digest) return decodeSummary(kept.summary, this.#remote.urlOf(path));
    const bytes = await this.#remote.fetch(path, { immutable: true, signal });
    if (bytes instanceof NotFoundError) throw bytes;
    const summary = decompressSubSummary(bytes, digest);
    const decoded = decodeSummary(summary, this.#remote.urlOf(path));
    this.#cache?.store(location, subset, { etag: undefined, lastModified: undefined, summary });
    return decoded;
  }
}
