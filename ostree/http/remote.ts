/** A repository that a web server gives out, as files below its base URLs. */
import { NotFoundError, UnsupportedError } from '../../bytes/errors.ts';
import { parseRepositoryConfig, type RepositoryConfig } from '../local/config.ts';
import type { HttpSourceDescription } from '../source.ts';
import type { Sink } from './fetch.ts';
import { refusePage } from './page.ts';
import { MAX_METADATA_SIZE, Transport, type FetchedBytes } from './transport.ts';
import { parseHttpUrl, withoutCredentials } from './url.ts';

/** The largest `config` that is read. */
const MAX_CONFIG_SIZE = 1024 * 1024;

interface FileOptions {
  readonly limit?: number | undefined;
  /** The file is named by its content. */
  readonly immutable?: boolean;
  /** It is an object or belongs to a delta: these may have base URLs of their own. */
  readonly content?: boolean;
  /** Throws a CfsError CHECKSUM or FORMAT for a bad copy. */
  readonly verify?: (bytes: Uint8Array) => void;
  /** Validators of a copy that is there already. */
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where bad copies of a file came from. */
export interface BadCopies {
  readonly bases: readonly string[];
  /** One was joined from several responses, which may be why it was bad. */
  readonly joined: boolean;
}

export const noCopies: BadCopies = { bases: [], joined: false };

export class Remote {
  /** The preferred base, without credentials. */
  readonly location: string;
  readonly transport: Transport;
  readonly #bases: readonly string[];
  readonly #contentBases: readonly string[];
  #config: Promise<RepositoryConfig> | undefined;

  /** @throws CfsError USAGE for a base that is neither http nor https. */
  constructor({ bases, contentBases = bases, transport }: HttpSourceDescription) {
    for (const base of [...bases, ...contentBases]) parseHttpUrl(base);
    this.#bases = bases;
    this.#contentBases = contentBases;
    this.location = withoutCredentials(bases[0] ?? '');
    this.transport = new Transport(transport);
  }

  /** What messages call the file at `path`. */
  urlOf(path: string, content = false): string {
    const [base = ''] = content ? this.#contentBases : this.#bases;
    return `${withoutCredentials(base).replace(/\/+$/, '')}/${path}`;
  }

  /** A whole file, or the error that says that no mirror has it. @throws what `Transport.fetchBytes` throws but that. */
  async fetch(path: string, options: FileOptions = {}): Promise<Uint8Array | NotFoundError> {
    const found = await this.fetchAnew(path, options);
    return found instanceof NotFoundError ? found : found.bytes;
  }

  /** The same with its validators; with those of the options it may have status 304. */
  async fetchAnew(path: string, options: FileOptions = {}): Promise<FetchedBytes | NotFoundError> {
    const { limit = MAX_METADATA_SIZE, content = false, verify, etag, lastModified, ...request } = options;
    const validators = {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
    };
    const bases = content ? this.#contentBases : this.#bases;
    try {
      return await this.transport.fetchBytes({ path, bases, ...validators, ...request }, { limit, verify });
    } catch (error) {
      if (error instanceof NotFoundError) return error;
      throw error;
    }
  }

  /** Gives an object, or what belongs to a delta, to `sink`. @throws as `Transport.fetchStream` */
  async stream(path: string, sink: Sink, signal: AbortSignal | undefined, limit = Infinity): Promise<void> {
    await this.transport.fetchStream({ path, bases: this.#contentBases, immutable: true, signal }, sink, { limit });
  }

  /**
   * As `stream`, but not from the mirrors of `bad`, and in one piece if those gave it joined.
   * @returns `bad` with where it came from, to be given when that turns out bad too; undefined if nothing is left to try then.
   */
  async streamFrom(
    path: string,
    sink: Sink,
    signal: AbortSignal | undefined,
    bad: BadCopies,
  ): Promise<BadCopies | undefined> {
    const bases = this.#contentBases.filter((base) => !bad.bases.includes(base));
    const request = { path, bases, immutable: true, whole: bad.joined, signal };
    const { base, joined } = await this.transport.fetchStream(request, sink);
    if (joined) return { bases: bad.bases, joined };
    return bases.length === 1 ? undefined : { bases: [...bad.bases, base], joined: bad.joined };
  }

  /** Asks the others first from now on. */
  distrust({ bases }: BadCopies): void {
    const base = bases.at(-1);
    if (base !== undefined) this.transport.distrust(base);
  }

  /**
   * Reads the repository's configuration, once.
   * @throws NotFoundError if there is none, FormatError for a bad one, UnsupportedError unless it is an archive repository.
   */
  async check(signal?: AbortSignal): Promise<void> {
    await this.#readConfig(signal);
  }

  /** Whether the configuration says that there are delta indexes. @throws as `check` */
  async hasDeltaIndexes(signal?: AbortSignal): Promise<boolean> {
    const { keyFile } = await this.#readConfig(signal);
    return keyFile.boolean('core', 'indexed-deltas') ?? false;
  }

  #readConfig(signal: AbortSignal | undefined): Promise<RepositoryConfig> {
    return (this.#config ??= this.#fetchConfig(signal));
  }

  async #fetchConfig(signal: AbortSignal | undefined): Promise<RepositoryConfig> {
    const verify = refusePage(this.urlOf('config'));
    const bytes = await this.fetch('config', { limit: MAX_CONFIG_SIZE, verify, signal });
    const url = this.location;
    if (bytes instanceof NotFoundError) {
      throw new NotFoundError(`There is no OSTree repository at ${url}: it has no file config`, { url }, bytes);
    }
    const config = parseRepositoryConfig(Buffer.from(bytes).toString(), this.urlOf('config'));
    const { mode } = config;
    if (mode === 'archive') return config;
    throw new UnsupportedError(`Can't pull from archives with mode "${mode}": ${url}`, { url, mode });
  }
}
