/**
 * A cookie jar in Netscape's text format, as `ostree remote add-cookie` and curl write it: seven fields between tabs, which are
 * domain, whether subdomains count, path, whether only for https, expiry in seconds (0 for never), name, value. Read only.
 */

export interface Cookie {
  readonly domain: string;
  readonly subdomains: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly expires: number;
  readonly name: string;
  readonly value: string;
}

/** Lines that are no cookies, and cookies that cannot be sent, are skipped. */
export function parseCookieJar(text: string): Cookie[] {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^#HttpOnly_/, ''));
  return lines.flatMap((line) => {
    const [domain = '', subdomains, path = '', secure, expires, name = '', value = ''] = line.split('\t');
    const sendable = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]*$/;
    if (line.startsWith('#') || domain === '' || !path.startsWith('/') || !/^\d+$/.test(expires ?? '')) return [];
    if (name === '' || !sendable.test(name) || !sendable.test(value.replaceAll(/[ ",]/g, ''))) return [];
    return [
      {
        domain: domain.replace(/^\./, '').toLowerCase(),
        subdomains: subdomains?.toUpperCase() === 'TRUE',
        path,
        secure: secure?.toUpperCase() === 'TRUE',
        expires: Number(expires),
        name,
        value,
      },
    ];
  });
}

/** The `Cookie` header for `url`, longest path first; undefined if no cookie belongs there. `now` is in seconds. */
export function cookieHeader(jar: readonly Cookie[], url: URL, now = Date.now() / 1000): string | undefined {
  const fitting = jar.filter(
    ({ domain, subdomains, path, secure, expires }) =>
      (url.hostname === domain || (subdomains && url.hostname.endsWith(`.${domain}`))) &&
      isBelow(url.pathname, path) &&
      (!secure || url.protocol === 'https:') &&
      (expires === 0 || expires > now),
  );
  if (fitting.length === 0) return undefined;
  const sorted = fitting.sort((a, b) => b.path.length - a.path.length);
  return sorted.map(({ name, value }) => `${name}=${value}`).join('; ');
}

function isBelow(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
}
