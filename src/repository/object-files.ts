/** The files of the object store, prefix by prefix. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';

export interface PrefixFiles {
  /** The first byte of the ids, two lower-case hex digits. */
  readonly prefix: string;
  /** What lies there, objects or not, sorted: one character for each byte of a name. */
  readonly names: readonly string[];
}

/** Whatever is no prefix is left out, as every other program does. A directory at a time is read. */
export function* objectFiles(root: string): Generator<PrefixFiles, void, undefined> {
  const objects = join(root, 'objects');
  for (const prefix of listNames(objects)) {
    if (/^[0-9a-f]{2}$/.test(prefix)) yield { prefix, names: listNames(join(objects, prefix)) };
  }
}

/** The names in a directory, one character for each byte, sorted; none where no directory is. */
export function listNames(directory: string): string[] {
  try {
    return readdirSync(directory, 'latin1').sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** A name as text, for messages. */
export function shownName(name: string): string {
  return Buffer.from(name, 'latin1').toString();
}
