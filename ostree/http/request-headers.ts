/** The header fields of a request: identity, credentials, cookies, and what the user adds. */
import { readFileSync } from 'node:fs';
import { CfsError } from '../../bytes/errors.ts';
import { packageVersion } from '../version.ts';
import type { Target } from './base.ts';
import { type Cookie, cookieHeader, parseCookieJar } from './cookies.ts';
import { type Netrc, netrcCredentials, parseNetrc } from './netrc.ts';
import type { Settings } from './options.ts';
import { basicAuthorization, type Credentials, parseHttpUrl } from './url.ts';

const reserved = new Set(['host', 'range', 'if-range', 'connection', 'content-length', 'transfer-encoding', 'upgrade']);

interface LastHeaders {
  readonly origin: string;
  readonly trusted: boolean;
  readonly own: Credentials | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export class RequestHeaders {
  readonly #userAgent: string;
  readonly #added: Readonly<Record<string, string>>;
  readonly #authOrigins: ReadonlySet<string>;
  readonly #authorization: string | undefined;
  readonly #netrc: Netrc | undefined;
  readonly #cookies: readonly Cookie[];
  #last: LastHeaders | undefined;

  /** Reads the files that the settings name. @throws CfsError USAGE for header fields that HTTP cannot carry; I/O errors. */
  constructor(settings: Settings) {
    const { auth, netrcFile, cookieFile, userAgent } = settings;
    this.#userAgent = userAgent ?? `cfs/${packageVersion()}`;
    this.#added = checkHeaders(settings.headers ?? []);
    this.#authOrigins = new Set(auth?.origins.map((origin) => parseHttpUrl(origin).origin));
    if (auth?.bearerFile !== undefined) {
      this.#authorization = `Bearer ${checkValue('bearer token', readFileSync(auth.bearerFile, 'utf8').trim())}`;
    } else if (auth?.basic !== undefined) {
      this.#authorization = basicAuthorization(auth.basic);
    }
    this.#netrc = netrcFile === undefined ? undefined : parseNetrc(readFileSync(netrcFile, 'utf8'));
    this.#cookies = cookieFile === undefined ? [] : parseCookieJar(readFileSync(cookieFile, 'utf8'));
  }

  /**
   * For a request to `target`. `trusted` is false once a redirect has left the origin that was asked: then only cookies of the jar go
   * along, which name their hosts themselves. `own` are credentials that stood in the URL.
   */
  for(target: Target, trusted: boolean, own: Credentials | undefined): Readonly<Record<string, string>> {
    const { origin } = target;
    if (this.#cookies.length > 0) return this.#make(target, trusted, own);
    // They are the same for all files of a base.
    const last = this.#last;
    if (last !== undefined && last.origin === origin && last.trusted === trusted && last.own === own)
      return last.headers;
    const headers = this.#make(target, trusted, own);
    this.#last = { origin, trusted, own, headers };
    return headers;
  }

  #make({ origin, path }: Target, trusted: boolean, own: Credentials | undefined): Record<string, string> {
    const url = new URL(origin + path);
    const headers: Record<string, string> = { 'user-agent': this.#userAgent, accept: '*/*' };
    if (trusted) {
      const authorization = this.#authorizationFor(url, own);
      if (authorization !== undefined) headers['authorization'] = authorization;
      Object.assign(headers, this.#added);
    }
    const cookie = cookieHeader(this.#cookies, url);
    if (cookie !== undefined)
      headers['cookie'] = headers['cookie'] === undefined ? cookie : `${headers['cookie']}; ${cookie}`;
    return headers;
  }

  #authorizationFor(url: URL, own: Credentials | undefined): string | undefined {
    if (own !== undefined) return basicAuthorization(own);
    if (this.#authorization !== undefined && this.#authOrigins.has(url.origin)) return this.#authorization;
    const found = this.#netrc === undefined ? undefined : netrcCredentials(this.#netrc, url.hostname);
    return found === undefined ? undefined : basicAuthorization(found);
  }
}

function checkHeaders(headers: readonly (readonly [name: string, value: string])[]): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(key) || reserved.has(key)) {
      throw new CfsError('USAGE', `Cannot send the header field "${name}"`, { name });
    }
    const before = checked[key];
    checked[key] = (before === undefined ? '' : `${before}, `) + checkValue(`header field "${name}"`, value);
  }
  return checked;
}

/** The message names the field only: the value may be secret. */
function checkValue(what: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw new CfsError('USAGE', `Cannot send the ${what}: it has characters that HTTP does not allow`);
}
