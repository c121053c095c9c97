/**
 * What a repository knows about a remote: the keys of the group `[remote "NAME"]` in its configuration, as plain data. Keys that this
 * file does not know are ignored when read. What decides over trust fails closed: a value that is not understood is an error.
 */
import { CfsError, FormatError, UnsupportedError } from '../bytes/errors.ts';
import { KeyFile } from './key-file.ts';
import { remoteGroup } from './local/config.ts';
import { checkRemoteName, isCollectionId, isRefName } from './ref.ts';

const engines = ['ed25519', 'spki'] as const;

/** How commits may be signed besides OpenPGP. */
export type SignatureEngine = (typeof engines)[number];

/** `all`: with every engine that has keys; a list: each of these must have keys. One good signature is enough in either case. */
export type SignVerify = 'none' | 'all' | readonly SignatureEngine[];

/** `base`: the repository itself; `mirrorlist`: a list of such URLs; `metalink`: XML about a `summary` and its mirrors. */
export interface RemoteLocation {
  readonly kind: 'base' | 'mirrorlist' | 'metalink';
  /** `http`, `https` or `file`; may hold user and password. */
  readonly url: string;
}

export interface VerificationKeys {
  /** Base64: of a raw public key (ed25519), or of one in DER (spki). */
  readonly key: string | undefined;
  /** Path of a file with keys: base64 lines (ed25519), or PEM (spki). */
  readonly file: string | undefined;
}

export interface RemoteConfig {
  readonly name: string;
  /** Undefined only with `customBackend`. */
  readonly location: RemoteLocation | undefined;
  /** Where objects and deltas are, if somewhere else; never a metalink. */
  readonly contentLocation: RemoteLocation | undefined;
  /** Refs that are meant by a pull that names none. */
  readonly branches: readonly string[];
  readonly gpgVerify: boolean;
  readonly gpgVerifySummary: boolean;
  /** Files with OpenPGP keys, or folders of them. */
  readonly gpgKeyPaths: readonly string[];
  readonly signVerify: SignVerify;
  readonly signVerifySummary: SignVerify;
  readonly verification: Readonly<Record<SignatureEngine, VerificationKeys>>;
  /** The collection that the remote's commits must be bound to. */
  readonly collectionId: string | undefined;
  /** Accept any TLS certificate. */
  readonly tlsPermissive: boolean;
  readonly tlsCaPath: string | undefined;
  /** Paths, or `pkcs11:` URIs. */
  readonly tlsClient: { readonly certPath: string; readonly keyPath: string } | undefined;
  /** Undefined: what the environment says; empty: none. */
  readonly proxy: string | undefined;
  readonly http2: boolean;
  /** Why nothing can be pulled yet. */
  readonly unconfiguredState: string | undefined;
  /** The program, other than OSTree, that fetches from this remote. */
  readonly customBackend: string | undefined;
}

/**
 * Reads the group of `name`, which must be there.
 * @throws FormatError naming the file (as the key file calls itself) and the key; CfsError FORMAT for a name no remote can have.
 */
export function parseRemoteConfig(name: string, file: KeyFile): RemoteConfig {
  checkRemoteName(name);
  const group = remoteGroup(name);
  const fail = (key: string, problem: string): FormatError => new FormatError(file.format, `${group}.${key}`, problem);
  /** Empty counts as not set, but where it says otherwise. */
  const text = (key: string): string | undefined => file.string(group, key) || undefined;
  const customBackend = text('custom-backend');
  const metalink = text('metalink');
  const url = text('url');
  if (url === undefined && metalink === undefined && customBackend === undefined) {
    throw fail('url', `No "url" option in remote "${name}"`);
  }
  const location = (key: 'url' | 'contenturl' | 'metalink'): RemoteLocation | undefined => {
    const value = text(key);
    if (value === undefined) return undefined;
    const found = key === 'metalink' ? { kind: key, url: value } : parseLocation(value);
    const problem = customBackend === undefined ? urlProblem(found.url) : undefined;
    if (problem !== undefined) throw fail(key, problem);
    return found;
  };
  const keys = (engine: SignatureEngine): VerificationKeys => {
    const key = text(`verification-${engine}-key`);
    const problem = key === undefined ? undefined : keyProblem(engine, key);
    if (problem !== undefined) throw fail(`verification-${engine}-key`, problem);
    return { key, file: text(`verification-${engine}-file`) };
  };
  const collectionId = text('collection-id');
  if (collectionId !== undefined && !isCollectionId(collectionId)) {
    throw fail('collection-id', `Invalid collection ID ${collectionId}`);
  }
  const branches = file.list(group, 'branches') ?? [];
  for (const ref of branches) if (!isRefName(ref)) throw fail('branches', `Invalid ref name ${ref}`);
  const certPath = text('tls-client-cert-path');
  const keyPath = text('tls-client-key-path');
  if ((certPath === undefined) !== (keyPath === undefined)) {
    const problem = `Remote "${name}" must specify both "tls-client-cert-path" and "tls-client-key-path"`;
    throw fail(certPath === undefined ? 'tls-client-cert-path' : 'tls-client-key-path', problem);
  }
  return {
    name,
    location: metalink === undefined ? location('url') : location('metalink'),
    contentLocation: location('contenturl'),
    branches,
    gpgVerify: file.boolean(group, 'gpg-verify') ?? true,
    gpgVerifySummary: file.boolean(group, 'gpg-verify-summary') ?? false,
    gpgKeyPaths: (file.list(group, 'gpgkeypath') ?? [])
      .flatMap((item) => item.split(','))
      .filter((path) => path !== ''),
    signVerify: parseSignVerify(file.string(group, 'sign-verify'), (problem) => fail('sign-verify', problem)),
    signVerifySummary: parseSignVerify(file.string(group, 'sign-verify-summary'), (problem) =>
      fail('sign-verify-summary', problem),
    ),
    verification: { ed25519: keys('ed25519'), spki: keys('spki') },
    collectionId,
    tlsPermissive: file.boolean(group, 'tls-permissive') ?? false,
    tlsCaPath: text('tls-ca-path'),
    tlsClient: certPath === undefined || keyPath === undefined ? undefined : { certPath, keyPath },
    proxy: file.string(group, 'proxy'),
    http2: file.boolean(group, 'http2') ?? true,
    unconfiguredState: text('unconfigured-state'),
    customBackend,
  };
}

const keys: ReadonlySet<string> = new Set(
  [
    ['url', 'contenturl', 'metalink', 'branches', 'collection-id', 'proxy', 'http2'],
    ['gpg-verify', 'gpg-verify-summary', 'gpgkeypath', 'sign-verify', 'sign-verify-summary'],
    engines.flatMap((engine) => [`verification-${engine}-key`, `verification-${engine}-file`]),
    ['tls-permissive', 'tls-ca-path', 'tls-client-cert-path', 'tls-client-key-path'],
    ['unconfigured-state', 'custom-backend'],
  ].flat(),
);

/** Whether `parseRemoteConfig` reads the key. */
export function isKnownKey(key: string): boolean {
  return keys.has(key);
}

const MIRRORLIST = 'mirrorlist=';
const METALINK = 'metalink=';

/** What a user writes for a remote's place, as `ostree remote add` takes it: a URL, `mirrorlist=URL` or `metalink=URL`. */
export function setLocation(file: KeyFile, name: string, place: string): void {
  const metalink = place.startsWith(METALINK);
  file.set(remoteGroup(name), metalink ? 'metalink' : 'url', metalink ? place.slice(METALINK.length) : place);
}

/**
 * A remote of which nothing is known but its place: no signatures are demanded of it, and no collection.
 * @throws CfsError USAGE for what is no http, https or file URL.
 */
export function remoteOfUrl(place: string, contentUrl?: string): RemoteConfig {
  checkUrl(place);
  const file = new KeyFile('command line');
  setLocation(file, UNNAMED, place);
  file.set(remoteGroup(UNNAMED), 'gpg-verify', 'false');
  return withContentUrl(parseRemoteConfig(UNNAMED, file), contentUrl);
}

/** The remote with its objects and deltas at another place, if that is given. @throws CfsError USAGE */
export function withContentUrl(remote: RemoteConfig, contentUrl: string | undefined): RemoteConfig {
  if (contentUrl === undefined) return remote;
  checkUrl(contentUrl);
  return { ...remote, contentLocation: parseLocation(contentUrl) };
}

function checkUrl(place: string): void {
  const problem = urlProblem(place.replace(/^(?:mirrorlist|metalink)=/, ''));
  if (problem !== undefined) throw new CfsError('USAGE', `${problem}; expected an http, https or file URL`);
}

/** Of a `url` or `contenturl`. */
function parseLocation(value: string): RemoteLocation {
  const isList = value.startsWith(MIRRORLIST);
  return { kind: isList ? 'mirrorlist' : 'base', url: isList ? value.slice(MIRRORLIST.length) : value };
}

const UNNAMED = 'of-the-command-line';

function urlProblem(url: string): string | undefined {
  const shown = url.replace(/\/\/.*@/s, '//');
  const protocol = URL.parse(url)?.protocol;
  if (protocol === undefined) return `'${shown}' is not a URL`;
  return ['http:', 'https:', 'file:'].includes(protocol) ? undefined : `Invalid URI scheme in ${shown}`;
}

function keyProblem(engine: SignatureEngine, key: string): string | undefined {
  const bytes = Buffer.from(key, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== key.replace(/=+$/, '')) return 'not base64';
  if (engine === 'ed25519' && bytes.length !== 32) return `a key of ${bytes.length} bytes, expected 32`;
  return undefined;
}

/** A list separated by `;`, or by `,` as `ostree remote add` writes it for two engines, although libostree does not read that. */
function parseSignVerify(value: string | undefined, fail: (problem: string) => FormatError): SignVerify {
  const trimmed = value?.trim() ?? '';
  if (['', 'false', '0'].includes(trimmed)) return 'none';
  if (['true', '1'].includes(trimmed)) return 'all';
  const names = trimmed.split(/[;,]/).map((name) => name.trim());
  const found = names
    .filter((name) => name !== '')
    .map((name) => {
      const engine = engines.find((known) => known === name);
      if (engine === undefined) throw fail(`Requested signature type is not implemented: '${name}'`);
      return engine;
    });
  if (found.length === 0) throw fail(`'${trimmed}' names no signature type`);
  return [...new Set(found)];
}

/**
 * Writes the group of a remote, at the end and instead of one that is there; defaults are left out. Throws as `parseRemoteConfig` for
 * what could not be read again, and then changes nothing.
 */
export function setRemoteConfig(file: KeyFile, remote: RemoteConfig): void {
  const group = remoteGroup(remote.name);
  const written = formatGroup(remote, file.format);
  parseRemoteConfig(remote.name, written);
  file.remove(group);
  for (const key of written.keys(group)) file.setRaw(group, key, written.raw(group, key) ?? '');
}

/** A key file with nothing but the group of this remote. */
function formatGroup(remote: RemoteConfig, format: string): KeyFile {
  checkRemoteName(remote.name);
  const group = remoteGroup(remote.name);
  const file = new KeyFile(format);
  const set = (key: string, value: string | undefined): void => {
    if (value !== undefined) file.set(group, key, value);
  };
  const setList = (key: string, values: readonly string[]): void => {
    if (values.length > 0) file.setList(group, key, values);
  };
  const setBoolean = (key: string, value: boolean, standard: boolean): void => {
    if (value !== standard) file.set(group, key, String(value));
  };
  const setSignVerify = (key: string, value: SignVerify): void => {
    // Written down, an empty list would turn verification off.
    if (value.length === 0) throw new FormatError(format, `${group}.${key}`, 'the list names no signature type');
    if (typeof value !== 'string') file.setList(group, key, value);
    else if (value === 'all') file.set(group, key, 'true');
  };
  set(remote.location?.kind === 'metalink' ? 'metalink' : 'url', locationText(remote.location));
  set('contenturl', locationText(remote.contentLocation));
  setList('branches', remote.branches);
  setBoolean('gpg-verify', remote.gpgVerify, true);
  setBoolean('gpg-verify-summary', remote.gpgVerifySummary, false);
  for (const path of remote.gpgKeyPaths) {
    if (path.includes(',')) throw new FormatError(file.format, `${group}.gpgkeypath`, `'${path}' has a comma`);
  }
  setList('gpgkeypath', remote.gpgKeyPaths);
  setSignVerify('sign-verify', remote.signVerify);
  setSignVerify('sign-verify-summary', remote.signVerifySummary);
  for (const engine of engines) {
    set(`verification-${engine}-key`, remote.verification[engine].key);
    set(`verification-${engine}-file`, remote.verification[engine].file);
  }
  set('collection-id', remote.collectionId);
  setBoolean('tls-permissive', remote.tlsPermissive, false);
  set('tls-ca-path', remote.tlsCaPath);
  set('tls-client-cert-path', remote.tlsClient?.certPath);
  set('tls-client-key-path', remote.tlsClient?.keyPath);
  set('proxy', remote.proxy);
  setBoolean('http2', remote.http2, true);
  set('unconfigured-state', remote.unconfiguredState);
  set('custom-backend', remote.customBackend);
  return file;
}

function locationText(location: RemoteLocation | undefined): string | undefined {
  return location && (location.kind === 'mirrorlist' ? MIRRORLIST : '') + location.url;
}

/** Throws, in the words of libostree, if nothing can be pulled from the remote as it is configured. */
export function verifyPullable({ name, unconfiguredState, customBackend }: RemoteConfig): void {
  if (unconfiguredState !== undefined) {
    throw new CfsError('USAGE', `remote unconfigured-state: ${unconfiguredState}`, { remote: name });
  }
  if (customBackend !== undefined) {
    const problem = `Cannot fetch via libostree - remote '${name}' uses custom backend '${customBackend}'`;
    throw new UnsupportedError(problem, { remote: name });
  }
}
