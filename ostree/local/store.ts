/** The objects of one repository on disk, without its parents. */
import { readdirSync, statSync, lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { hasCode, NotFoundError, UnsupportedError } from '../../bytes/errors.ts';
import { isChecksum, type OstreeChecksum } from '../checksum.ts';
import { loosePath, MAX_METADATA_SIZE, type MetadataType } from '../object-type.ts';
import { openArchiveFile } from './archive-file.ts';
import { openBareFile, type BareFiles } from './bare-file.ts';
import { parseRepositoryConfig, type RepositoryConfig } from './config.ts';
import { FileReader } from './file-reader.ts';
import type { OpenFile } from './open-file.ts';
import type { XattrReader } from './xattr-reader.ts';

/** The largest `config` that is read. */
const MAX_CONFIG_SIZE = 16 * 1024 * 1024;

const commitSuffix = '.commit';

export class LocalStore {
  readonly path: string;
  readonly config: RepositoryConfig;
  readonly reader: FileReader = new FileReader();
  readonly #objects: string;
  readonly #bare: BareFiles | undefined;

  /**
   * Reads the configuration of the repository at `path`. Throws `NotFoundError` if there is none, `FormatError` for a configuration
   * that is not valid, `UnsupportedError` if its mode needs `xattrs` and none are given.
   */
  constructor(path: string, xattrs: XattrReader | undefined) {
    this.path = path;
    this.#objects = join(path, 'objects');
    const configPath = join(path, 'config');
    const config = this.reader.readWhole(configPath, MAX_CONFIG_SIZE);
    if (config === undefined || statOrUndefined(this.#objects)?.isDirectory() !== true) {
      throw new NotFoundError(`${path} is not an OSTree repository: it needs a file config and a folder objects`, {
        path,
      });
    }
    this.config = parseRepositoryConfig(Buffer.from(config).toString(), configPath);
    const { mode, disableXattrs } = this.config;
    if (mode === 'archive') return;
    const needed = mode === 'bare-user' || (mode === 'bare' && !disableXattrs);
    if (needed && xattrs === undefined) {
      throw new UnsupportedError(
        `The repository ${path} has mode ${mode}, which needs extended attributes to be read`,
        {
          path,
          mode,
        },
      );
    }
    this.#bare = { mode, reader: this.reader, xattrs: needed ? xattrs : undefined };
  }

  /** The stored bytes, or undefined if the object is not here. */
  readObject(type: MetadataType, checksum: OstreeChecksum): Uint8Array | undefined {
    return this.reader.readWhole(`${this.#objects}/${loosePath(type, checksum, false)}`, MAX_METADATA_SIZE);
  }

  /** The file object, or undefined if it is not here. */
  openFile(checksum: OstreeChecksum): OpenFile | undefined {
    const path = `${this.#objects}/${loosePath('file', checksum, this.#bare === undefined)}`;
    try {
      return this.#bare === undefined
        ? openArchiveFile(this.reader, path, checksum)
        : openBareFile(this.#bare, path, checksum);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** True if the tree of this commit may be incomplete: a pull into the repository was not finished, or fsck found damage. */
  isPartial(commit: OstreeChecksum): boolean {
    const markers = [join(this.path, 'state', `${commit}.commitpartial`), join(this.path, 'transaction')];
    return markers.some((marker) => lstatSync(marker, { throwIfNoEntry: false }) !== undefined);
  }

  /** Commits here whose checksum begins with `prefix`, 1 to 63 lower-case hex digits. */
  commitsWithPrefix(prefix: string): OstreeChecksum[] {
    const folders =
      prefix.length >= 2 ? [prefix.slice(0, 2)] : Array.from('0123456789abcdef').map((digit) => prefix + digit);
    return folders.flatMap((folder) =>
      listFolder(`${this.#objects}/${folder}`)
        .filter((name) => name.endsWith(commitSuffix))
        .map((name) => folder + name.slice(0, -commitSuffix.length))
        .filter((commit): commit is OstreeChecksum => commit.startsWith(prefix) && isChecksum(commit)),
    );
  }
}

function statOrUndefined(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
