/** Which proxy a URL goes through, by the conventional variables of the environment. */

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy's URL, or undefined for a direct connection. Lower-case names count before upper-case ones. `HTTP_PROXY` is ignored in a
 * CGI program, where a client sets it by its `Proxy` header.
 */
export function proxyFor(url: URL, environment: Environment): string | undefined {
  const read = (name: string): string | undefined => environment[name] || environment[name.toUpperCase()] || undefined;
  if (isExempt(url, read('no_proxy') ?? '')) return undefined;
  const cgi = environment['REQUEST_METHOD'] !== undefined;
  const own = url.protocol === 'https:' ? read('https_proxy') : cgi ? environment['http_proxy'] : read('http_proxy');
  const proxy = own || read('all_proxy');
  if (proxy === undefined) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

/** `no_proxy`: names of hosts and domains with all below them, each with `:port` or without, between commas or spaces; `*` is all. */
function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = entry, entryPort] =
        /^(.+?)(?::(\d+))?$/.exec(/^[^[]*:[^[]*:/.test(entry) ? `[${entry}]` : entry) ?? [];
      const domain = name.replace(/^\*?\./, '');
      return (entryPort === undefined || entryPort === port) && (host === domain || host.endsWith(`.${domain}`));
    });
}
