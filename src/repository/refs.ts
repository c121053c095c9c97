/**
 * Refs: symlinks below `streams/refs/` and `images/refs/` that keep a stream or image, and what it reaches, from garbage
 * collection. What a ref points to is the last component of its text; a ref to another ref is none.
 */
import { unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CfsError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import { assertRefName, type LinkKind } from './layout.ts';
import { listDirectory, readLink, syncDirectories } from './links.ts';
import type { ObjectStore } from './objects.ts';

export interface Ref {
  /** Path below `refs/`. */
  readonly ref: string;
  /** Name of the stream or image; nothing says that it exists. */
  readonly target: string;
}

/** What a ref points to, or undefined if there is no such ref. */
export function readRef({ path }: ObjectStore, kind: LinkKind, ref: string): string | undefined {
  assertRefName(ref);
  const file = join(path, kind, 'refs', ref);
  try {
    const text = readLink(file);
    return text === undefined ? undefined : basename(text);
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * All refs below `prefix` (a directory such as `ostree`, all if it is empty), by name; names are relative to the prefix.
 *
 * @throws CfsError CORRUPT for anything but symlinks and directories there.
 */
export function listRefs({ path }: ObjectStore, kind: LinkKind, prefix = ''): Ref[] {
  if (prefix !== '') assertRefName(prefix);
  return [...walk(join(path, kind, 'refs', prefix), '')];
}

function* walk(directory: string, below: string): Generator<Ref, void, undefined> {
  for (const { name, type } of listDirectory(directory)) {
    const file = join(directory, name);
    if (type === 'directory') yield* walk(file, `${below}${name}/`);
    else if (type === 'symlink') {
      const text = readLink(file);
      // Else it was removed since.
      if (text !== undefined) yield { ref: below + name, target: basename(text) };
    } else throw new CfsError('CORRUPT', `Cannot list refs: ${file} is no symlink`, { path: file });
  }
}

/** Removes a ref, durably. @throws NotFoundError; CfsError CONFLICT for what is no symlink. */
export function removeRef(store: ObjectStore, kind: LinkKind, ref: string): void {
  const missing = readRef(store, kind, ref) === undefined;
  if (missing) throw new NotFoundError(`Ref ${ref} is missing in ${join(store.path, kind)}`, { ref });
  const file = join(store.path, kind, 'refs', ref);
  unlinkSync(file);
  syncDirectories(new Set([dirname(file)]));
}
