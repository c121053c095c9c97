/**
 * Mirror lists (`url=mirrorlist=URL` of a remote): text with one base URL a line; empty lines, lines that begin with `#`, and what
 * is no http or https URL are skipped.
 */
import { CfsError, FetchError, NotFoundError } from '../../bytes/errors.ts';
import type { Transport } from './transport.ts';
import { withoutCredentials } from './url.ts';

const MAX_SIZE = 1024 * 1024;
const MAX_MIRRORS = 1000;

/** The URLs without credentials, in their order, each once. */
export function parseMirrorlist(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const urls = lines.filter((line) => /^https?:\/\//i.test(line) && URL.canParse(line)).map(withoutCredentials);
  return Array.from(new Set(urls)).slice(0, MAX_MIRRORS);
}

/**
 * The mirrors behind a list: those in front of the first one that serves a repository's `config` are left out.
 * @throws FetchError, NotFoundError for the list itself; CfsError FETCH when no mirror works.
 */
export async function fetchMirrorlist(
  transport: Transport,
  url: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<string[]> {
  const cancel = signal === undefined ? {} : { signal };
  const { bytes } = await transport.fetchBytes({ bases: [url], path: '', ...cancel }, { limit: MAX_SIZE });
  const mirrors = parseMirrorlist(new TextDecoder().decode(bytes));
  for (const [i, base] of mirrors.entries()) {
    if (await works(transport, base, cancel)) return mirrors.slice(i);
  }
  const list = withoutCredentials(url);
  throw new CfsError('FETCH', `No valid mirrors were found in mirrorlist '${list}'`, { url: list });
}

async function works(transport: Transport, base: string, cancel: { signal?: AbortSignal }): Promise<boolean> {
  try {
    await transport.fetchBytes({ bases: [base], path: 'config', retries: 0, ...cancel }, { limit: MAX_SIZE });
    return true;
  } catch (error) {
    if (error instanceof FetchError || error instanceof NotFoundError) return false;
    if (error instanceof CfsError && error.code === 'LIMIT') return false;
    throw error;
  }
}
