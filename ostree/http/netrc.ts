/** The `.netrc` file: logins by host name, as ftp(1) and curl read it. `macdef` is skipped. */
import type { Credentials } from './url.ts';

export interface Netrc {
  readonly machines: ReadonlyMap<string, Credentials>;
  /** The `default` entry. */
  readonly fallback: Credentials | undefined;
}

interface Entry {
  /** Undefined for `default`. */
  host: string | undefined;
  user: string;
  password: string;
}

/** Never fails: unknown words are skipped. The first entry of a machine counts; names of hosts compare without case. */
export function parseNetrc(text: string): Netrc {
  const words = splitWords(text);
  const entries: Entry[] = [];
  for (let i = 0; i < words.length; i++) {
    const [word, next = ''] = [words[i], words[i + 1]];
    const entry = entries.at(-1);
    if (word === 'default') entries.push({ host: undefined, user: '', password: '' });
    else if (word === 'machine') entries.push({ host: words[++i]?.toLowerCase() ?? '', user: '', password: '' });
    else if (word === 'login' || word === 'password' || word === 'account') {
      i++;
      if (word === 'login' && entry !== undefined) entry.user = next;
      if (word === 'password' && entry !== undefined) entry.password = next;
    }
  }
  const machines = new Map<string, Credentials>();
  for (const { host, user, password } of entries) {
    if (host !== undefined && !machines.has(host)) machines.set(host, { user, password });
  }
  return { machines, fallback: entries.find(({ host }) => host === undefined) };
}

/** Words, or text in double quotes with backslash escapes. A macro goes on to the next empty line; `#` at a line's start comments. */
function splitWords(text: string): string[] {
  const kept = text
    .replaceAll('\r\n', '\n')
    .replaceAll(/^[ \t]*#.*$/gm, '')
    .replaceAll(/(^|\s)macdef\s[\s\S]*?(?:\n[ \t]*\n|$(?![\s\S]))/g, '$1\n');
  const words = kept.matchAll(/"((?:[^"\\]|\\[\s\S])*)"|(\S+)/g);
  return Array.from(words, ([, quoted, plain]) => quoted?.replaceAll(/\\([\s\S])/g, '$1') ?? plain ?? '');
}

export function netrcCredentials(netrc: Netrc, hostname: string): Credentials | undefined {
  return netrc.machines.get(hostname.toLowerCase()) ?? netrc.fallback;
}
