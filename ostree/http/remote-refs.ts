/** The refs of a remote: from its summary, flatpak's `summary.idx` where it has none, or the files below `refs/heads`. */
import { FormatError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import { isChecksum, type OstreeChecksum } from '../checksum.ts';
import { decodeSummary, type Summary } from '../summary.ts';
import {
  decodeSummaryIndex,
  decompressSubSummary,
  subSummaryPath,
  subsetFor,
  type SummaryIndex,
} from '../summary-index.ts';
import type { Remote } from './remote.ts';

/** The largest file of a ref that is read. */
const MAX_REF_SIZE = 1024;

/** What one of two names lists; each is fetched once, when it is needed. */
export class RemoteRefs {
  readonly #remote: Remote;
  #summary: Promise<Summary | undefined> | undefined;
  #index: Promise<SummaryIndex | undefined> | undefined;
  readonly #subsets = new Map<string, Promise<Summary>>();

  constructor(remote: Remote) {
    this.#remote = remote;
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
    const invalid = (text: string, cause?: unknown) =>
      new FormatError(`ref ${this.#remote.urlOf(path)}`, 'checksum', `Invalid rev ${text}`, undefined, cause);
    let bytes;
    try {
      bytes = await this.#remote.fetch(path, { limit: MAX_REF_SIZE, signal });
    } catch (error) {
      if (hasCode(error, 'LIMIT')) throw invalid(`of more than ${MAX_REF_SIZE} bytes`, error);
      throw error;
    }
    if (bytes instanceof NotFoundError) return undefined;
    const text = Buffer.from(bytes).toString().replace(/\n$/, '');
    if (isChecksum(text)) return text;
    throw invalid(JSON.stringify(text.slice(0, 80)));
  }

  /**
   * All refs by name, or those of a subset that `summary.idx` names.
   * @throws NotFoundError if there is neither file, or no such subset.
   */
  async list(signal?: AbortSignal, subset?: string): Promise<ReadonlyMap<string, OstreeChecksum>> {
    const summary = subset === undefined ? await this.#fetchSummary(signal) : undefined;
    const summaries = summary === undefined ? await this.#subsetsOf(subset, signal) : [summary];
    const refs = new Map<string, OstreeChecksum>();
    for (const each of summaries) {
      for (const { ref, commit } of each.list()) refs.set(ref, commit);
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
    return (this.#summary ??= this.#fetchDecoded('summary', decodeSummary, signal));
  }

  #fetchIndex(signal: AbortSignal | undefined): Promise<SummaryIndex | undefined> {
    return (this.#index ??= this.#fetchDecoded('summary.idx', decodeSummaryIndex, signal));
  }

  async #fetchDecoded<T>(
    path: string,
    decode: (bytes: Uint8Array, name: string) => T,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    const bytes = await this.#remote.fetch(path, { signal });
    return bytes instanceof NotFoundError ? undefined : decode(bytes, this.#remote.urlOf(path));
  }

  #fetchSubset(index: SummaryIndex, name: string, signal: AbortSignal | undefined): Promise<Summary> {
    const known = this.#subsets.get(name);
    if (known !== undefined) return known;
    const { digest } = index.subsets.get(name)!;
    const fetched = this.#fetchSubSummary(digest, signal);
    this.#subsets.set(name, fetched);
    return fetched;
  }

  async #fetchSubSummary(digest: string, signal: AbortSignal | undefined): Promise<Summary> {
    const path = subSummaryPath(digest);
    const bytes = await this.#remote.fetch(path, { immutable: true, signal });
    if (bytes instanceof NotFoundError) throw bytes;
    return decodeSummary(decompressSubSummary(bytes, digest), this.#remote.urlOf(path));
  }
}
