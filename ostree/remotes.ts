/**
 * The remotes of a repository: groups in its `config` and in the files `*.conf` of folders that belong to it (`/etc/ostree/remotes.d`
 * for that of the system), behind them those of its parents. A key that is missing here is looked up there, key by key.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfsError, hasCode, NotFoundError } from '../bytes/errors.ts';
import { KeyFile } from './key-file.ts';
import { remoteGroup, remoteNames } from './local/config.ts';
import type { LocalRepository } from './local/repository.ts';
import { parseRemoteConfig, setRemoteConfig, type RemoteConfig } from './remote-config.ts';

/** Where the system's own repository has remotes besides its `config`. */
export const SYSTEM_REMOTES = '/etc/ostree/remotes.d';

/** A key file with remotes, and where it is. */
export interface RemoteFile {
  readonly path: string;
  readonly keyFile: KeyFile;
}

export class Remotes {
  /** For each repository, the nearest first: name to file. */
  readonly #layers: readonly ReadonlyMap<string, RemoteFile>[];

  /**
   * `layers` are the files of the repository, of its parent, of the parent's parent…
   * @throws CfsError FORMAT if a remote is in two files of one repository.
   */
  constructor(layers: readonly (readonly RemoteFile[])[]) {
    this.#layers = layers.map(indexFiles);
  }

  /** Sorted; some may have a configuration that `get` refuses. */
  names(): string[] {
    return [...new Set(this.#layers.flatMap((layer) => [...layer.keys()]))].sort();
  }

  has(name: string): boolean {
    return this.#layers.some((layer) => layer.has(name));
  }

  /** The files that say something about a remote, the nearest first. */
  filesOf(name: string): RemoteFile[] {
    return this.#layers.flatMap((layer) => layer.get(name) ?? []);
  }

  /** @throws NotFoundError, FormatError */
  get(name: string): RemoteConfig {
    return parseRemoteConfig(name, this.merged(name));
  }

  /** Its group with every key that one of the files has, the nearest first. @throws NotFoundError */
  merged(name: string): KeyFile {
    const files = this.filesOf(name);
    if (files.length === 0) throw new NotFoundError(`Remote "${name}" not found`, { remote: name });
    const merged = new KeyFile(`configuration ${files.map(({ path }) => path).join(', ')}`);
    const group = remoteGroup(name);
    for (const { keyFile } of files.toReversed()) {
      for (const key of keyFile.keys(group)) merged.setRaw(group, key, keyFile.raw(group, key) ?? '');
    }
    return merged;
  }
}

function indexFiles(files: readonly RemoteFile[]): ReadonlyMap<string, RemoteFile> {
  const found = new Map<string, RemoteFile>();
  for (const file of files) {
    for (const name of remoteNames(file.keyFile)) {
      const other = found.get(name);
      if (other !== undefined) {
        const where = `${other.path}, ${file.path}`;
        throw new CfsError('FORMAT', `Multiple specifications found for remote "${name}" (${where})`, { remote: name });
      }
      found.set(name, file);
    }
  }
  return found;
}

/** The files `*.conf` of a folder, in the order of their names; none if there is no such folder. @throws FormatError */
export function readRemotesDirectory(directory: string): RemoteFile[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  const paths = names.filter((name) => name.endsWith('.conf')).sort();
  return paths.map((name) => readRemotesFile(join(directory, name)));
}

/** An empty key file if there is none. @throws FormatError; CfsError SYSTEM */
export function readRemotesFile(path: string): RemoteFile {
  const format = `remotes file ${path}`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return { path, keyFile: new KeyFile(format) };
    throw new CfsError('SYSTEM', `Cannot read ${format}`, { path }, error);
  }
  return { path, keyFile: KeyFile.parse(text, format) };
}

/** The remotes of a repository on disk and of its parents; `directories` belong to the repository itself. */
export function remotesOf(repository: LocalRepository, directories: readonly string[] = []): Remotes {
  const layers = repository.stores.map(({ path, config }) => [{ path: join(path, 'config'), keyFile: config.keyFile }]);
  layers[0]?.push(...directories.flatMap(readRemotesDirectory));
  return new Remotes(layers);
}

/**
 * Adds a remote to a key file, which the caller then writes.
 * @throws CfsError CONFLICT if it is there already, unless `replace`; FormatError for what could not be read again.
 */
export function addRemote(file: RemoteFile, remote: RemoteConfig, options: { readonly replace?: boolean } = {}): void {
  if (file.keyFile.has(remoteGroup(remote.name)) && options.replace !== true) {
    const problem = `Remote configuration for "${remote.name}" already exists: ${file.path}`;
    throw new CfsError('CONFLICT', problem, { remote: remote.name, path: file.path });
  }
  setRemoteConfig(file.keyFile, remote);
}

/** Removes a remote from a key file. @throws NotFoundError */
export function removeRemote(file: RemoteFile, name: string): void {
  if (!file.keyFile.has(remoteGroup(name))) throw new NotFoundError(`Remote "${name}" not found`, { remote: name });
  file.keyFile.remove(remoteGroup(name));
}
