/** Web pages in the place of a repository's files: from a server that has no repository there, or from a network that wants a login. */
import { CfsError } from '../../bytes/errors.ts';

/** How HTML begins. The Content-Type of a file of a repository says nothing. */
const PAGE = /^(?:\xef\xbb\xbf)?\s*<(?:!doctype|html)/i;
/** Bytes that are looked at. */
const BEGINNING = 256;

/** For files that cannot begin so. @throws CfsError FORMAT */
export function refusePage(url: string): (bytes: Uint8Array) => void {
  return (bytes) => {
    if (!PAGE.test(Buffer.from(bytes.subarray(0, BEGINNING)).toString('latin1'))) return;
    const next = 'is it the URL of an OSTree repository, and does the network want a login?';
    throw new CfsError('FORMAT', `Cannot read ${url}: the server gave a web page (HTML); ${next}`, { url });
  };
}
