/** URLs of remotes: joined as OSTree does, and fit for messages. */
import { CfsError } from '../../bytes/errors.ts';

/** Without user, password and fragment. Of what is no URL with a host, nothing is kept that is in front of an `@`. */
export function withoutCredentials(text: string): string {
  const userinfo =
    /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && URL.canParse(text)
      ? /^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i
      : /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is;
  return text.replace(userinfo, '$1').replace(/#.*$/s, '');
}

/** Any text with the userinfo of all URLs in it removed. */
export function scrub(text: string): string {
  return text.replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi, '$1');
}

/** @throws CfsError USAGE for what is neither http nor https. */
export function parseHttpUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  const problem = url === null ? 'not a URL' : `its scheme is ${url.protocol}//, expected http:// or https://`;
  throw new CfsError('USAGE', `Cannot fetch ${withoutCredentials(text)}: ${problem}`, {
    url: withoutCredentials(text),
  });
}

/**
 * `base` as text, one slash, `path`; an empty path means the base itself.
 * @throws CfsError USAGE for a base that is neither http nor https.
 */
export function joinUrl(base: string, path: string): URL {
  return parseHttpUrl(path === '' ? base : `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`);
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Takes user and password out of the URL. */
export function takeCredentials(url: URL): Credentials | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const credentials = { user: unescape(url.username), password: unescape(url.password) };
  url.username = '';
  url.password = '';
  return credentials;
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function basicAuthorization({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
