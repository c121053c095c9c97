/** The `config` of a repository: its version, mode, parent and remotes. */
import { isAbsolute } from 'node:path';
import { FormatError } from '../../bytes/errors.ts';
import { KeyFile } from '../key-file.ts';
import { isCollectionId } from '../ref.ts';

const modes = ['archive', 'bare', 'bare-user', 'bare-user-only', 'bare-split-xattrs'] as const;

/** How file objects are stored; `archive-z2`, as writers put it, is `archive`. */
export type RepositoryMode = (typeof modes)[number];

export interface RepositoryConfig {
  readonly mode: RepositoryMode;
  /** Absolute path of the repository where missing objects and refs are looked up. */
  readonly parent: string | undefined;
  readonly collectionId: string | undefined;
  /** Files in `bare` mode are to be taken as having no extended attributes. */
  readonly disableXattrs: boolean;
  /** Everything that is written, remotes included. */
  readonly keyFile: KeyFile;
}

/** Parses `text`; `FormatError` naming `path` and the key. */
export function parseRepositoryConfig(text: string, path: string): RepositoryConfig {
  const keyFile = KeyFile.parse(text, `repository config ${path}`);
  const fail = (key: string, problem: string) => new FormatError(keyFile.format, `core.${key}`, problem);
  const version = keyFile.string('core', 'repo_version');
  if (version === undefined) throw fail('repo_version', 'missing');
  if (version !== '1') throw fail('repo_version', `Invalid repository version '${version}'`);
  const parent = keyFile.string('core', 'parent');
  // The empty path is how libostree writes "none".
  if (parent && !isAbsolute(parent)) throw fail('parent', `'${parent}' is not an absolute path`);
  const collectionId = keyFile.string('core', 'collection-id');
  if (collectionId !== undefined && !isCollectionId(collectionId)) {
    throw fail('collection-id', `Invalid collection ID ${collectionId}`);
  }
  return {
    mode: parseMode(keyFile.string('core', 'mode') ?? 'bare', fail),
    parent: parent === '' ? undefined : parent,
    collectionId,
    disableXattrs: keyFile.boolean('core', 'disable-xattrs') ?? false,
    keyFile,
  };
}

function parseMode(name: string, fail: (key: string, problem: string) => FormatError): RepositoryMode {
  const mode = name === 'archive-z2' ? 'archive' : modes.find((known) => known === name);
  if (mode === undefined) throw fail('mode', `Invalid mode '${name}' in repository configuration`);
  return mode;
}

/** The group of a remote's keys. */
export function remoteGroup(name: string): string {
  return `remote "${name}"`;
}

/** Names of the remotes in a key file, in order. */
export function remoteNames(keyFile: KeyFile): string[] {
  return keyFile.groups().flatMap((group) => /^remote "(.*)"$/.exec(group)?.[1] ?? []);
}
