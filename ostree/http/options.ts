/** What a transport is told: plain data, so that a worker thread can build the same transport again. */
import type { RateLimit } from './rate-limit.ts';
import type { Traffic } from './traffic.ts';

export interface TlsOptions {
  /** PEM file of the client certificate, with `keyFile`. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** PEM bundle that replaces the built-in authorities. */
  readonly caFile?: string;
  /** Accept any certificate. */
  readonly permissive?: boolean;
}

/** Credentials for the named origins (`https://host:port`) only; what mirror lists and redirects lead to never gets them. */
export interface AuthOptions {
  readonly origins: readonly string[];
  readonly basic?: { readonly user: string; readonly password: string };
  /** A file with a bearer token; surrounding white space is not part of it. */
  readonly bearerFile?: string;
}

/** Times are in milliseconds. */
export interface TransportOptions {
  /** Connections to one origin at most. */
  readonly connections?: number;
  /** Requests on one HTTP/1.1 connection at the same time, once the server has shown that it keeps connections. */
  readonly pipelining?: number;
  /** Use HTTP/2 where a TLS server offers it. */
  readonly http2?: boolean;
  /** Requests to one HTTP/2 origin at the same time. */
  readonly http2Streams?: number;
  readonly connectTimeout?: number;
  /** Bytes per second below which, for `lowSpeedTime`, an attempt is given up; 0 turns this off. */
  readonly lowSpeedLimit?: number;
  readonly lowSpeedTime?: number;
  /** How long a request may wait for one mirror, over several attempts, without a single new byte. Cannot be turned off. */
  readonly watchdog?: number;
  /** Further rounds through the mirrors after the first. */
  readonly retries?: number;
  /** False: try again only after HTTP 408 and 500. */
  readonly retryAll?: boolean;
  /** The first wait between rounds is up to this long, and doubles each time up to `backoffMax`. */
  readonly backoff?: number;
  readonly backoffMax?: number;
  /** The longest `Retry-After` that is waited for. */
  readonly retryAfterMax?: number;
  readonly maxRedirects?: number;
  /** Follow redirects from https to http. */
  readonly insecureRedirects?: boolean;
  /** Bound on the bytes of a response's header fields. */
  readonly maxHeaderBytes?: number;
  readonly tls?: TlsOptions;
  /** URL of a proxy (http, https, socks5); empty for none. Without it the environment counts. */
  readonly proxy?: string;
  /** Where `http_proxy` and its like are looked up; the process's own by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly auth?: AuthOptions;
  readonly netrcFile?: string;
  /** Sent with each request to a base URL; not to another origin that it redirects to. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** A cookie jar in Netscape's format. */
  readonly cookieFile?: string;
  readonly userAgent?: string;
  readonly rateLimit?: RateLimit;
  /** Where received bytes of bodies are counted, those of failed attempts included. */
  readonly traffic?: Traffic;
}

/** The options that are numbers or switches, with their defaults. */
export const defaults = {
  connections: 8,
  pipelining: 8,
  http2: true,
  http2Streams: 64,
  connectTimeout: 30_000,
  lowSpeedLimit: 1000,
  lowSpeedTime: 30_000,
  watchdog: 120_000,
  retries: 5,
  retryAll: true,
  backoff: 500,
  backoffMax: 20_000,
  retryAfterMax: 120_000,
  maxRedirects: 10,
  insecureRedirects: false,
  maxHeaderBytes: 64 * 1024,
} as const satisfies TransportOptions;

type Widen<T> = T extends number ? number : T extends boolean ? boolean : T;

export type Settings = TransportOptions & { readonly [K in keyof typeof defaults]: Widen<(typeof defaults)[K]> };

/** The options with all defaults filled in. @throws RangeError for a number that makes no sense. */
export function settle(options: TransportOptions): Settings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...defaults, ...given };
  const positive = [
    'connections',
    'pipelining',
    'http2Streams',
    'connectTimeout',
    'watchdog',
    'maxHeaderBytes',
  ] as const;
  const natural = [
    'lowSpeedLimit',
    'lowSpeedTime',
    'retries',
    'backoff',
    'backoffMax',
    'retryAfterMax',
    'maxRedirects',
  ] as const;
  for (const [names, least] of [
    [positive, 1],
    [natural, 0],
  ] as const) {
    for (const name of names) {
      const value = settings[name];
      if (!(Number.isSafeInteger(value) && value >= least))
        throw new RangeError(`Invalid transport option ${name}: ${value}`);
    }
  }
  return settings;
}
