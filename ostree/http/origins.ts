/** The connections of one transport: a pool for each origin, direct or through a proxy, made on first use. */
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import type { buildConnector, Dispatcher } from 'undici';
import { CfsError } from '../../bytes/errors.ts';
import { Lane } from './lane.ts';
import type { Settings, TlsOptions } from './options.ts';
import { proxyFor } from './proxy.ts';
import { withoutCredentials } from './url.ts';

export interface Origin {
  readonly dispatcher: Dispatcher;
  readonly lane: Lane;
}

export class Origins {
  readonly #settings: Settings;
  readonly #origins = new Map<string, Origin>();
  #undici: typeof import('undici') | undefined;
  #tls: object | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async of(url: URL): Promise<Origin> {
    // Loading undici costs more than starting the program, so it waits for the first request.
    this.#undici ??= await import('undici');
    let origin = this.#origins.get(url.origin);
    if (origin === undefined) {
      origin = this.#open(url, this.#undici);
      this.#origins.set(url.origin, origin);
    }
    return origin;
  }

  /** Closes all connections at once. */
  async close(): Promise<void> {
    const open = Array.from(this.#origins.values());
    this.#origins.clear();
    await Promise.all(open.map(({ dispatcher }) => dispatcher.destroy()));
  }

  #open(url: URL, undici: typeof import('undici')): Origin {
    const { connections, pipelining, http2, http2Streams, connectTimeout, maxHeaderBytes } = this.#settings;
    const lane = new Lane(connections * pipelining);
    const tls = (this.#tls ??= readTls(this.#settings.tls ?? {}));
    const pool = {
      connections,
      pipelining,
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
      const dispatcher = new undici.ProxyAgent({ ...pool, uri: proxy, requestTls: secure, proxyTls });
      return { dispatcher, lane };
    }
    const connect = undici.buildConnector(secure);
    const widening: buildConnector.connector = (options, callback) =>
      connect(options, (...result) => {
        const [error, socket] = result;
        if (error === null && (socket as TLSSocket).alpnProtocol === 'h2') lane.widen(http2Streams);
        callback(...result);
      });
    return { dispatcher: new undici.Pool(url.origin, { ...pool, connect: widening }), lane };
  }
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
