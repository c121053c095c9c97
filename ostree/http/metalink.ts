/**
 * Metalinks (`metalink=URL` of a remote): XML in the layout of version 3, `metalink/files/file[@name="summary"]`, which names size,
 * digest and addresses of a repository's summary. The directory of the address that gives that summary is the repository.
 */
import { createHash } from 'node:crypto';
import { CfsError, FetchError, FormatError, NotFoundError } from '../../bytes/errors.ts';
import { MAX_METADATA_SIZE, type Transport } from './transport.ts';
import { withoutCredentials } from './url.ts';
import { parseXml, type XmlElement } from './xml.ts';

const MAX_SIZE = 4 * 1024 * 1024;
const MAX_TARGETS = 1000;
const digestLengths = { sha512: 128, sha256: 64 } as const;

export interface Metalink {
  /** Bytes of the summary. */
  readonly size: number;
  readonly hash: { readonly algorithm: keyof typeof digestLengths; readonly hex: string };
  /** Where the summary is, without credentials, in the document's order. */
  readonly urls: readonly string[];
}

/** @throws FormatError */
export function parseMetalink(text: string): Metalink {
  const root = parseXml(text);
  if (root.name !== 'metalink') throw bad('metalink', `expected <metalink>, got <${root.name}>`);
  const files = children(root, 'files').flatMap((element) => children(element, 'file'));
  if (files.length === 0) throw bad('files', 'No <file> element found');
  const file = files.find(({ attributes }) => attributes.get('name') === 'summary');
  if (file === undefined) throw bad('file', "No <file name='summary'> found");
  const sizeText = children(file, 'size')[0]?.text.trim() ?? '';
  const size = /^\d{1,15}$/.test(sizeText) ? Number(sizeText) : 0;
  if (size === 0) throw bad('size', 'No <size> element found or it is zero');
  if (size > MAX_METADATA_SIZE) throw bad('size', `${size} bytes exceed the maximum of ${MAX_METADATA_SIZE}`);
  const hash = parseHash(children(file, 'verification').flatMap((element) => children(element, 'hash')));
  const urls = children(file, 'resources')
    .flatMap((element) => children(element, 'url'))
    .filter(({ attributes }) => /^https?$/.test(attributes.get('protocol') ?? attributes.get('type') ?? ''))
    .map((element) => element.text.trim())
    .filter((url) => /^https?:\/\//i.test(url) && URL.canParse(url));
  if (urls.length === 0) throw bad('resources', 'No <url> element with a known protocol found');
  return { size, hash, urls: urls.slice(0, MAX_TARGETS).map(withoutCredentials) };
}

function parseHash(hashes: readonly XmlElement[]): Metalink['hash'] {
  for (const algorithm of ['sha512', 'sha256'] as const) {
    const element = hashes.find(({ attributes }) => attributes.get('type') === algorithm);
    if (element === undefined) continue;
    const hex = element.text.trim();
    if (!/^[0-9a-f]*$/.test(hex) || hex.length !== digestLengths[algorithm]) {
      throw bad('hash', `Invalid hash digest for ${algorithm}`);
    }
    return { algorithm, hex };
  }
  throw bad('verification', 'No <verification> element with known <hash type=> found');
}

function children(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

function bad(field: string, problem: string): FormatError {
  return new FormatError('metalink', field, problem);
}

export interface MetalinkSummary {
  readonly summary: Uint8Array;
  /** The repository's URL. */
  readonly base: string;
}

/**
 * The summary from the first target whose bytes have the size and digest of the metalink at `url`.
 * @throws FormatError; FetchError, NotFoundError for the metalink itself; CfsError FETCH when no target gives the right bytes.
 */
export async function fetchMetalink(
  transport: Transport,
  url: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<MetalinkSummary> {
  const cancel = signal === undefined ? {} : { signal };
  const { bytes } = await transport.fetchBytes({ bases: [url], path: '', ...cancel }, { limit: MAX_SIZE });
  const { size, hash, urls } = parseMetalink(new TextDecoder().decode(bytes));
  const retries = urls.length > 1 ? { retries: 1 } : {};
  let last = '';
  for (const target of urls) {
    try {
      const fetched = await transport.fetchBytes({ bases: [target], path: '', ...retries, ...cancel }, { limit: size });
      last = mismatch(fetched.bytes, size, hash);
      if (last === '') return { summary: fetched.bytes, base: new URL('.', target).href.replace(/\/$/, '') };
    } catch (error) {
      const other = error instanceof FetchError || error instanceof NotFoundError;
      if (!other && !(error instanceof CfsError && error.code === 'LIMIT')) throw error;
      last = error.message;
    }
  }
  const problem = `Exhausted ${urls.length} metalink targets, last error: ${last}`;
  throw new CfsError('FETCH', problem, { url: withoutCredentials(url) });
}

/** Empty if the bytes are right. */
function mismatch(bytes: Uint8Array, size: number, { algorithm, hex }: Metalink['hash']): string {
  if (bytes.length !== size) return `Expected size is ${size} bytes but content is ${bytes.length} bytes`;
  const actual = createHash(algorithm).update(bytes).digest('hex');
  return actual === hex ? '' : `Expected ${algorithm} digest is ${hex} but actual is ${actual}`;
}
