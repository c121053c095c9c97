/** An OSTree repository over HTTP. What it gives is unverified; metadata is bounded, and a file by the size that its header declares. */
import { NotFoundError } from '../../bytes/errors.ts';
import { isChecksum, type OstreeChecksum } from '../checksum.ts';
import { decodeCommit } from '../commit.ts';
import { type HashedMetadataType, loosePath, objectName, type MetadataType } from '../object-type.ts';
import { verifyMetadataObject } from '../object-verify.ts';
import { parseRefspec } from '../ref.ts';
import type { FileObject, HttpSourceDescription, Source } from '../source.ts';
import { BoundedFetch } from './bounded-fetch.ts';
import { HttpDeltas } from './deltas.ts';
import { defaults, type TransportOptions } from './options.ts';
import { type BadCopies, noCopies, Remote } from './remote.ts';
import { RemoteRefs, type ListRefsOptions, type RefServices } from './remote-refs.ts';
import { Slabs } from './slabs.ts';
import { FileSpool } from './spool.ts';

/** The repository at a URL. Nothing is fetched yet. @throws CfsError USAGE for a URL that is neither http nor https. */
export function openHttpSource(url: string, transport: TransportOptions = {}): HttpSource {
  return new HttpSource({ kind: 'http', bases: [url], transport });
}

export class HttpSource implements Source {
  readonly location: string;
  readonly concurrency: number;
  readonly deltas: HttpDeltas;
  #description: HttpSourceDescription;
  readonly #remote: Remote;
  readonly #refs: RemoteRefs;
  readonly #metadata = new BoundedFetch();
  readonly #slabs = new Slabs();

  /** `services` help to find refs; a source that only fetches objects needs none. */
  constructor(description: HttpSourceDescription, services: RefServices = {}) {
    this.#description = description;
    this.#remote = new Remote(description);
    this.#refs = new RemoteRefs(this.#remote, services);
    this.deltas = new HttpDeltas(this.#remote, this.#refs);
    this.location = this.#remote.location;
    const { connections = defaults.connections, pipelining = defaults.pipelining } = description.transport;
    // One would mean that it never waits.
    this.concurrency = Math.max(2, connections * pipelining);
  }

  /** @throws also FormatError, UnsupportedError or NotFoundError if there is no archive repository at the URL. */
  async resolveRef(rev: string, signal?: AbortSignal): Promise<OstreeChecksum> {
    const name = rev.replace(/\^+$/, '');
    let commit = await this.#resolveName(name, signal);
    for (let generations = rev.length - name.length; generations > 0; generations--) {
      commit = await this.#parentOf(commit, signal);
    }
    return commit;
  }

  async #resolveName(name: string, signal: AbortSignal | undefined): Promise<OstreeChecksum> {
    const refspec = isChecksum(name) ? undefined : parseRefspec(name);
    await this.#remote.check(signal);
    if (refspec === undefined) return name as OstreeChecksum;
    const commit = refspec.remote === undefined ? await this.#refs.find(refspec.ref, signal) : undefined;
    if (commit !== undefined) return commit;
    const url = this.location;
    throw new NotFoundError(`Ref '${name}' not found in ${url}; 'cfs ostree list-refs ${url}' lists its refs`, {
      ref: name,
      url,
    });
  }

  async #parentOf(commit: OstreeChecksum, signal: AbortSignal | undefined): Promise<OstreeChecksum> {
    const bytes = await this.readObject('commit', commit, signal);
    verifyMetadataObject('commit', commit, bytes);
    const { parent } = decodeCommit(bytes, commit);
    if (parent === undefined) throw new NotFoundError(`Commit ${commit} has no parent`, { checksum: commit });
    return parent;
  }

  async listRefs(signal?: AbortSignal, options?: ListRefsOptions): Promise<ReadonlyMap<string, OstreeChecksum>> {
    await this.#remote.check(signal);
    return this.#refs.list(signal, options);
  }

  /** What has a checksum is verified, so that a bad copy at one mirror does not matter. */
  async readObject(type: MetadataType, checksum: OstreeChecksum, signal?: AbortSignal): Promise<Uint8Array> {
    const verify = (bytes: Uint8Array): void => {
      if (isHashed(type)) verifyMetadataObject(type, checksum, bytes);
    };
    const options = { immutable: true, content: true, verify, signal };
    const bytes = await this.#metadata.run((limit) =>
      this.#remote.fetch(pathOf(type, checksum), { ...options, limit }),
    );
    if (bytes instanceof NotFoundError) throw this.#missing(type, checksum, bytes);
    return bytes;
  }

  /** The whole stored object is fetched, into memory or a temporary file. */
  openFile(checksum: OstreeChecksum, signal?: AbortSignal): Promise<FileObject> {
    return this.#openFile(checksum, signal, noCopies);
  }

  async #openFile(checksum: OstreeChecksum, signal: AbortSignal | undefined, bad: BadCopies): Promise<FileObject> {
    const spool = new FileSpool(checksum, this.#slabs, this.#description.spool);
    try {
      const next = await this.#remote.streamFrom(pathOf('file', checksum), spool, signal, bad);
      const file = spool.finish();
      if (next !== undefined) {
        file.again = (ended) => {
          this.#remote.distrust(next);
          return this.#openFile(checksum, ended, next);
        };
      }
      return file;
    } catch (error) {
      throw error instanceof NotFoundError ? this.#missing('file', checksum, error) : error;
    } finally {
      spool.close();
    }
  }

  #missing(type: MetadataType | 'file', checksum: OstreeChecksum, cause: NotFoundError): NotFoundError {
    const facts = { checksum, type, url: this.#remote.urlOf(pathOf(type, checksum), true) };
    return new NotFoundError(`No object ${objectName(type, checksum)} in ${this.location}`, facts, cause);
  }

  divide(threads: number): void {
    this.#remote.transport.divide(threads);
  }

  spoolIn(directory: string): void {
    this.#description = { ...this.#description, spool: directory };
  }

  describe(): HttpSourceDescription {
    return this.#description;
  }

  /** Cancels what is being fetched. */
  close(): void {
    void this.#remote.transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function isHashed(type: MetadataType): type is HashedMetadataType {
  return type === 'commit' || type === 'dirtree' || type === 'dirmeta';
}

function pathOf(type: MetadataType | 'file', checksum: OstreeChecksum): string {
  return `objects/${loosePath(type, checksum, true)}`;
}
