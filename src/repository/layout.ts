/**
 * Where things lie in a repository, relative to its root:
 *
 *     meta.json
 *     objects/xx/yyyy…           content, named by its fs-verity digest
 *     streams/NAME               -> ../objects/xx/yyyy…   a splitstream
 *     streams/refs/…             -> ../../NAME            what garbage collection keeps
 *     images/HEX                 -> ../objects/xx/yyyy…   an EROFS image, HEX is its digest
 *     images/refs/…              -> ../../HEX
 *
 * Other programs ignore unknown entries directly in the root and directly in `objects/`; so temporary files lie there, and
 * nowhere else.
 */
import { randomBytes } from 'node:crypto';
import { CfsError } from '../../bytes/errors.ts';
import { digestSize, isObjectId, objectPath, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';

/** The two kinds of links, each with refs below `KIND/refs/`. */
export type LinkKind = 'streams' | 'images';

/** Starts of the names of temporary entries, in the root and in `objects/`. The first and last are those of composefs-rs too. */
export const TEMPORARY_LINK = '.symlink-';
export const TEMPORARY_FILE = '.cfs-tmp-';
export const TEMPORARY_OBJECT = '.tmp-object-';

/** `prefix` and 12 random letters and digits. */
export function temporaryName(prefix: string): string {
  return prefix + randomBytes(9).toString('base64').replaceAll('+', 'a').replaceAll('/', 'b');
}

/** The text of a symlink at `link` that points to `target`, both relative to the root: the shortest relative form. */
export function linkText(link: string, target: string): string {
  const from = link.split('/').slice(0, -1);
  const to = target.split('/');
  let common = 0;
  while (common < from.length && common < to.length - 1 && from[common] === to[common]) common++;
  return [...from.slice(common).map(() => '..'), ...to.slice(common)].join('/');
}

/** The object that the text of a stream or image link means, by its last two components; undefined if it names none. */
export function linkedObject(text: string, algorithm: HashAlgorithm): ObjectId | undefined {
  const id = text.slice(-(2 * digestSize(algorithm) + 1)).replace(/^(..)\//, '$1');
  return text.startsWith('../') && isObjectId(id, algorithm) && text.endsWith(`/${objectPath(id)}`) ? id : undefined;
}

/** @throws CfsError USAGE for text that cannot be one file name. */
function assertFileName(name: string, what: string): void {
  const problem =
    name === ''
      ? 'it is empty'
      : name === '.' || name === '..'
        ? 'it has a meaning of its own'
        : name.includes('/') || name.includes('\0')
          ? 'it has a slash or a NUL'
          : Buffer.byteLength(name) > 255
            ? 'it is longer than 255 bytes'
            : undefined;
  if (problem !== undefined) throw new CfsError('USAGE', `Invalid ${what} '${name}': ${problem}`);
}

/** @throws CfsError USAGE */
export function assertStreamName(name: string): void {
  assertFileName(name, 'stream name');
  if (name === 'refs') throw new CfsError('USAGE', `Invalid stream name 'refs': the refs lie there`);
}

/** Slashes in a ref make directories. @throws CfsError USAGE */
export function assertRefName(ref: string): void {
  for (const part of ref.split('/')) assertFileName(part, `part of the ref '${ref}':`);
}

/** A name of another world as one component of a ref: `%` becomes `%25`, then `/` becomes `%2F`. */
export function escapeRef(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

export function unescapeRef(text: string): string {
  return text.replaceAll('%2F', '/').replaceAll('%25', '%');
}
