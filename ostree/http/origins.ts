/** The connections of one transport: some for each origin, direct or through a proxy, made on first use. */
import { readFileSync } from 'node:fs';
import type { Dispatcher } from 'undici';
import { CfsError } from '../../bytes/errors.ts';
import type { Exchange } from './exchange.ts';
import { Lane } from './lane.ts';
import type { Settings, TlsOptions } from './options.ts';
import { type OpenClient, Pipes } from './pipes.ts';
import { proxyFor } from './proxy.ts';
import { loadClient, loadProxyAgent } from './undici.ts';
import { withoutCredentials } from './url.ts';

export interface Origin {
  readonly lane: Lane;
  dispatch(options: Dispatcher.DispatchOptions, exchange: Exchange): void;
  /** From now on only the given part of what is allowed. */
  divide(parts: number): void;
  destroy(): Promise<void>;
}

export class Origins {
  readonly #settings: Settings;
  readonly #origins = new Map<string, Origin>();
  #tls: object | undefined;
  #parts = 1;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get(name: string): Origin {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = this.#open(new URL(name));
      if (this.#parts > 1) origin.divide(this.#parts);
      this.#origins.set(name, origin);
    }
    return origin;
  }

  /** From now on only the given part of what the settings allow, because others use the rest. */
  divide(parts: number): void {
    this.#parts = parts;
    for (const origin of this.#origins.values()) origin.divide(parts);
  }

  /** Closes all connections at once. */
  async close(): Promise<void> {
    const open = Array.from(this.#origins.values());
    this.#origins.clear();
    await Promise.all(open.map((origin) => origin.destroy()));
  }

  #open(url: URL): Origin {
    const { connections, pipelining, http2, http2Streams, connectTimeout, maxHeaderBytes } = this.#settings;
    const lane = new Lane(connections);
    const tls = (this.#tls ??= readTls(this.#settings.tls ?? {}));
    const client = {
      allowH2: http2,
      maxHeaderSize: maxHeaderBytes,
      connectTimeout,
      // Our own watch takes the place of undici's timers.
      headersTimeout: 0,
      bodyTimeout: 0,
      h2Options: { maxConcurrentStreams: http2Streams },
    };
    const secure = { ...tls, timeout: connectTimeout, allowH2: http2, preferH2: http2 };
    const proxy = this.#settings.proxy ?? proxyFor(url, this.#settings.environment ?? process.env) ?? '';
    if (proxy !== '') {
      checkProxy(proxy);
      const proxyTls = { ...tls, timeout: connectTimeout, allowH2: false };
      const options = { ...client, connections, uri: proxy, requestTls: secure, proxyTls };
      const { ProxyAgent } = loadProxyAgent();
      return proxied(new ProxyAgent(options), lane);
    }
    const { buildConnector, Client } = loadClient();
    const connect = buildConnector(secure);
    const open: OpenClient = (tap) => new Client(url.origin, { ...client, pipelining, connect: tap(connect) });
    const mayBeHttp2 = http2 && url.protocol === 'https:';
    return new Pipes(open, lane, { connections, pipelining, http2Streams, mayBeHttp2 });
  }
}

function proxied(dispatcher: Dispatcher, lane: Lane): Origin {
  return {
    lane,
    dispatch: (options, exchange) => void dispatcher.dispatch(options, exchange),
    divide: (parts) => lane.divide(parts),
    destroy: () => dispatcher.destroy(),
  };
}

function readTls({ certFile, keyFile, caFile, permissive }: TlsOptions): object {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new CfsError('USAGE', 'A TLS client needs both a certificate and a key');
  }
  return {
    ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(permissive === true ? { rejectUnauthorized: false } : {}),
  };
}

function checkProxy(proxy: string): void {
  const url = URL.parse(proxy);
  if (url !== null && /^(https?|socks5?):$/.test(url.protocol)) return;
  const text = withoutCredentials(proxy);
  throw new CfsError('USAGE', `Cannot use the proxy ${text}: expected an http, https or socks5 URL`, { proxy: text });
}
