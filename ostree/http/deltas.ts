/** Static deltas of a repository over HTTP. */
import { NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { decodeDeltaIndex } from '../delta/delta-index.ts';
import { deltaFolder, deltaIndexPath, MAX_SUPERBLOCK_SIZE } from '../delta/format.ts';
import type { PartSink } from '../delta/part-file.ts';
import type { DeltaSource, KnownDelta } from '../delta/source.ts';
import type { DeltaPair } from '../delta/superblock.ts';
import type { Remote } from './remote.ts';
import type { RemoteRefs } from './remote-refs.ts';

export class HttpDeltas implements DeltaSource {
  readonly #remote: Remote;
  readonly #refs: RemoteRefs;

  constructor(remote: Remote, refs: RemoteRefs) {
    this.#remote = remote;
    this.#refs = refs;
  }

  async listDeltas(to: OstreeChecksum, signal?: AbortSignal): Promise<readonly KnownDelta[] | undefined> {
    const summary = await this.#refs.summary(signal);
    if (summary?.indexedDeltas ?? (await this.#remote.hasDeltaIndexes(signal))) {
      const bytes = await this.#remote.fetch(deltaIndexPath(to), { content: true, signal });
      // What both list is one delta; the index is the younger of the two.
      const deltas = new Map<OstreeChecksum | undefined, KnownDelta>();
      for (const delta of summary?.staticDeltas(to) ?? []) deltas.set(delta.from, delta);
      for (const delta of bytes instanceof NotFoundError ? [] : decodeDeltaIndex(bytes, to))
        deltas.set(delta.from, delta);
      return Array.from(deltas.values());
    }
    return summary?.listsStaticDeltas === true ? Array.from(summary.staticDeltas(to)) : undefined;
  }

  /** All deltas that the summary lists; those of delta indexes need not be among them. */
  async listSummary(signal?: AbortSignal): Promise<readonly KnownDelta[]> {
    return Array.from((await this.#refs.summary(signal))?.staticDeltas() ?? []);
  }

  async readSuperblock({ from, to }: DeltaPair, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const path = `${deltaFolder(from, to)}/superblock`;
    const bytes = await this.#remote.fetch(path, { content: true, limit: MAX_SUPERBLOCK_SIZE, signal });
    return bytes instanceof NotFoundError ? undefined : bytes;
  }

  async streamPart(
    { from, to }: DeltaPair,
    index: number,
    limit: number,
    sink: PartSink,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#remote.stream(`${deltaFolder(from, to)}/${index}`, sink, signal, limit);
  }
}
