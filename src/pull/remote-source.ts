/** From what is known about a remote to a source of its objects: every key is honoured, or the remote is refused. */
import { fileURLToPath } from 'node:url';
import { CfsError, UnsupportedError } from '../../bytes/errors.ts';
import type { TlsOptions, TransportOptions } from '../../ostree/http/options.ts';
import type { SummaryCache } from '../../ostree/http/remote-refs.ts';
import { HttpSource } from '../../ostree/http/source.ts';
import { Transport } from '../../ostree/http/transport.ts';
import { verifyPullable, type RemoteConfig, type RemoteLocation } from '../../ostree/remote-config.ts';
import type { Source } from '../../ostree/source.ts';
import { openLocalSource } from './source.ts';

export interface RemoteOptions {
  /** Counts before what the remote's keys say. */
  readonly transport?: TransportOptions;
  /** Further base URLs, for what the remote's own do not give. */
  readonly mirrors?: readonly string[];
  /** Pull although signatures are demanded, which nobody verifies. */
  readonly ignoreSignatures?: boolean;
  readonly cache?: SummaryCache;
  readonly signal?: AbortSignal;
}

/**
 * A source for the remote. Mirror lists and metalinks are fetched now, nothing else is.
 * @throws UnsupportedError for what the remote demands and this program cannot; CfsError USAGE; what the two fetches throw.
 */
export async function openRemote(remote: RemoteConfig, options: RemoteOptions = {}): Promise<Source> {
  verifyPullable(remote);
  if (options.ignoreSignatures !== true) verifyUnsigned(remote);
  const { location, contentLocation } = remote;
  if (location === undefined)
    throw new CfsError('USAGE', `Remote "${remote.name}" has no URL`, { remote: remote.name });
  const { mirrors = [] } = options;
  const local = [location, contentLocation].find((each) => each !== undefined && isFile(each.url));
  if (local !== undefined) return openFileRemote(remote, local, mirrors);

  const transport = { ...remoteTransport(remote), ...options.transport, tls: mergeTls(remote, options.transport) };
  const lists = new Transport(transport);
  try {
    const cancel = options.signal === undefined ? {} : { signal: options.signal };
    const basesOf = async ({ kind, url }: RemoteLocation): Promise<readonly string[]> => {
      if (kind !== 'mirrorlist') return [url];
      return (await import('../../ostree/http/mirrorlist.ts')).fetchMirrorlist(lists, url, cancel);
    };
    const metalink =
      location.kind === 'metalink'
        ? await (await import('../../ostree/http/metalink.ts')).fetchMetalink(lists, location.url, cancel)
        : undefined;
    const bases = metalink === undefined ? await basesOf(location) : [metalink.base];
    const contentBases = contentLocation === undefined ? bases : await basesOf(contentLocation);
    return new HttpSource(
      { kind: 'http', bases: [...bases, ...mirrors], contentBases: [...contentBases, ...mirrors], transport },
      { cache: options.cache, summary: metalink?.summary },
    );
  } finally {
    await lists.close();
  }
}

/** What may verify signatures one day must not be taken for verified today. */
function verifyUnsigned(remote: RemoteConfig): void {
  const demands = [
    remote.gpgVerify ? 'gpg-verify' : '',
    remote.gpgVerifySummary ? 'gpg-verify-summary' : '',
    remote.signVerify === 'none' ? '' : 'sign-verify',
    remote.signVerifySummary === 'none' ? '' : 'sign-verify-summary',
  ].filter((key) => key !== '');
  if (demands.length === 0) return;
  throw new UnsupportedError(
    `Remote "${remote.name}" demands verified signatures (${demands.join(', ')}), and cfs verifies none; ` +
      'nothing was pulled. Use --no-verify-signatures to trust what the server sends, this time',
    { remote: remote.name },
  );
}

function isFile(url: string): boolean {
  return URL.parse(url)?.protocol === 'file:';
}

/** A repository on this machine. */
function openFileRemote(remote: RemoteConfig, local: RemoteLocation, mirrors: readonly string[]): Source {
  const { name, location, contentLocation } = remote;
  if (location?.kind !== 'base' || mirrors.length > 0 || (contentLocation ?? location).url !== location.url) {
    const problem = `Remote "${name}" mixes ${local.url} with other places, mirror lists or mirrors`;
    throw new UnsupportedError(`${problem}; a file:// URL stands alone`, { remote: name });
  }
  return openLocalSource(fileURLToPath(location.url));
}

function remoteTransport({ proxy, http2 }: RemoteConfig): TransportOptions {
  return {
    ...(proxy === undefined ? {} : { proxy: withScheme(proxy) }),
    ...(http2 ? {} : { http2: false }),
  };
}

/** As curl reads it, `host:port` is an HTTP proxy. */
function withScheme(proxy: string): string {
  return proxy === '' || proxy.includes('://') ? proxy : `http://${proxy}`;
}

function mergeTls(remote: RemoteConfig, given: TransportOptions | undefined): TlsOptions {
  const { name, tlsCaPath, tlsClient, tlsPermissive } = remote;
  const paths = [tlsClient?.certPath, tlsClient?.keyPath].filter((path) => path !== undefined);
  const token = paths.find((path) => path.startsWith('pkcs11:'));
  if (token !== undefined && given?.tls?.keyFile === undefined) {
    throw new UnsupportedError(`Remote "${name}" has its TLS client key in a PKCS#11 token, which cfs cannot use`, {
      remote: name,
    });
  }
  return {
    ...(tlsClient === undefined ? {} : { certFile: tlsClient.certPath, keyFile: tlsClient.keyPath }),
    ...(tlsCaPath === undefined ? {} : { caFile: tlsCaPath }),
    ...(tlsPermissive ? { permissive: true } : {}),
    ...given?.tls,
  };
}
