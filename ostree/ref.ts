/**
 * Names of refs, remotes, refspecs and collections. A ref is fragments joined by `/`, each a word character followed by word
 * characters, `-`, `.` and `_` (letters and digits of any script count); so no name can leave its folder.
 */
import { CfsError } from '../bytes/errors.ts';
import { isChecksum } from './checksum.ts';

const fragment = String.raw`[\p{L}\p{N}_][-._\p{L}\p{N}_]*`;
const refPattern = new RegExp(`^${fragment}(?:/${fragment})*$`, 'u');
const remotePattern = new RegExp(`^${fragment}$`, 'u');
const collectionPattern = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+$/;

/** The most characters of a collection ID. */
const MAX_COLLECTION_ID = 255;

/** `[remote:]ref`. */
export interface Refspec {
  readonly remote: string | undefined;
  readonly ref: string;
}

export function isRefName(name: string): boolean {
  return refPattern.test(name) && !isChecksum(name);
}

/** Throws a `CfsError` FORMAT unless `name` may name a ref. */
export function checkRefName(name: string): void {
  if (!refPattern.test(name)) throw new CfsError('FORMAT', `Invalid ref name ${name}`, { ref: name });
  if (isChecksum(name)) throw new CfsError('FORMAT', `Rev name '${name}' looks like a checksum`, { ref: name });
}

export function isRemoteName(name: string): boolean {
  return remotePattern.test(name);
}

/** Throws a `CfsError` FORMAT unless `name` may name a remote. */
export function checkRemoteName(name: string): void {
  if (!isRemoteName(name)) throw new CfsError('FORMAT', `Invalid remote name ${name}`, { remote: name });
}

/** True for a D-Bus interface name, which is what a collection ID is. */
export function isCollectionId(id: string): boolean {
  return id.length <= MAX_COLLECTION_ID && collectionPattern.test(id);
}

/** Throws a `CfsError` FORMAT unless `id` may name a collection. */
export function checkCollectionId(id: string): void {
  if (!isCollectionId(id)) throw new CfsError('FORMAT', `Invalid collection ID ${id}`, { collectionId: id });
}

/** Splits and checks a refspec; `CfsError` FORMAT. */
export function parseRefspec(text: string): Refspec {
  const colon = text.indexOf(':');
  const remote = colon === -1 ? undefined : text.slice(0, colon);
  const ref = text.slice(colon + 1);
  if (!refPattern.test(ref) || (remote !== undefined && !remotePattern.test(remote))) {
    throw new CfsError('FORMAT', `Invalid refspec ${text}`, { refspec: text });
  }
  checkRefName(ref);
  return { remote, ref };
}

export function formatRefspec({ remote, ref }: Refspec): string {
  return remote === undefined ? ref : `${remote}:${ref}`;
}
