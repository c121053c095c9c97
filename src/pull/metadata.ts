/** The metadata of a pull: read from stored commits and reference repositories where they hold it, else from the source. */
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import type { HashedMetadataType } from '../../ostree/object-type.ts';
import type { Source } from '../../ostree/source.ts';
import { readCommitGraph, type CommitGraph, type WalkOptions } from '../commit/graph.ts';
import type { OnProgress } from '../progress.ts';
import type { Bases } from './bases.ts';
import type { References } from './references.ts';

interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export class MetadataReader {
  readonly #source: Source;
  readonly #bases: Bases;
  readonly #options: ReadOptions;
  readonly #references: References | undefined;
  #fetched = 0;

  constructor(source: Source, bases: Bases, options: ReadOptions, references?: References) {
    this.#source = source;
    this.#bases = bases;
    this.#options = options;
    this.#references = references;
  }

  /** Objects read from the source so far. */
  get fetched(): number {
    return this.#fetched;
  }

  /** The verified bytes of a commit object. */
  async readCommit(checksum: OstreeChecksum): Promise<Uint8Array> {
    const bytes = await this.#read('commit', checksum, this.#options.signal);
    verifyMetadataObject('commit', checksum, bytes);
    return bytes;
  }

  /** The graph of the commit whose object was read. */
  readGraph(
    commit: OstreeChecksum,
    commitObject: Uint8Array,
    part: Pick<WalkOptions, 'selection' | 'has'>,
  ): Promise<CommitGraph> {
    const { signal, onProgress } = this.#options;
    const { concurrency } = this.#source;
    return readCommitGraph(
      commit,
      (type, checksum, ended) => (type === 'commit' ? commitObject : this.#read(type, checksum, ended)),
      { signal, onProgress, concurrency, ...part },
    );
  }

  #read(
    type: HashedMetadataType,
    checksum: OstreeChecksum,
    signal: AbortSignal | undefined,
  ): Uint8Array | Promise<Uint8Array> {
    const known = this.#bases.get(checksum);
    // What other programs stored need not be what the checksum says.
    if (known !== undefined && checksumOf(known.data) === checksum) return known.data;
    const near = this.#references?.readMetadata(type, checksum);
    if (near !== undefined) return near;
    this.#fetched++;
    const bytes = this.#source.readObject(type, checksum, signal);
    return bytes instanceof Promise ? this.#entered(checksum, bytes) : bytes;
  }

  /** What was waited for is remembered. */
  async #entered(checksum: OstreeChecksum, promised: Promise<Uint8Array>): Promise<Uint8Array> {
    const data = await promised;
    if (checksumOf(data) === checksum) this.#bases.enter(checksum, { data, object: undefined });
    return data;
  }
}
