/**
 * Directory objects: GVariant `(a(say)a(sayay))`: files and symlinks as (name, file checksum), then subdirectories as (name, dirtree
 * checksum, dirmeta checksum), each sorted by the bytes of the name.
 *
 * Empty names, names that occur twice (also as a file and a directory) and unsorted arrays are refused, which libostree does not do
 * before checkout: no honest writer makes them.
 */
import { FormatError } from '../bytes/errors.ts';
import { encode } from '../gvariant/src/encode.ts';
import { checksumBytes, checksumFromBytes, type OstreeChecksum } from './checksum.ts';
import { scanDirTree } from './dirtree-scan.ts';
import { compareUtf8 } from './text-order.ts';
import { decodeNormal } from './variant.ts';

export interface TreeFile {
  readonly name: string;
  readonly checksum: OstreeChecksum;
}

export interface TreeDirectory {
  readonly name: string;
  readonly tree: OstreeChecksum;
  readonly meta: OstreeChecksum;
}

export interface DirTree {
  readonly files: readonly TreeFile[];
  readonly directories: readonly TreeDirectory[];
}

const TYPE = '(a(say)a(sayay))';

/** Decodes and checks a dirtree object; `FormatError` otherwise. The checksum is only for messages. */
export function decodeDirTree(bytes: Uint8Array, checksum?: OstreeChecksum): DirTree {
  const format = checksum === undefined ? 'dirtree' : `dirtree ${checksum}`;
  const tree = scanDirTree(bytes) ?? decodeGeneric(bytes, format);
  checkNames(tree, format);
  return tree;
}

/** The generic decoder: it says what is wrong with bytes that are not normal form. */
function decodeGeneric(bytes: Uint8Array, format: string): DirTree {
  const [files, directories] = decodeNormal(TYPE, bytes, format);
  return {
    files: Array.from(files, ([name, sum], i) => ({
      name,
      checksum: checksumFromBytes(sum, format, `files[${i}].checksum`),
    })),
    directories: Array.from(directories, ([name, sum, meta], i) => ({
      name,
      tree: checksumFromBytes(sum, format, `directories[${i}].tree`),
      meta: checksumFromBytes(meta, format, `directories[${i}].meta`),
    })),
  };
}

/** The bytes of a dirtree object; `FormatError` for names that a reader would refuse, their order included. */
export function encodeDirTree(tree: DirTree): Uint8Array {
  checkNames(tree, 'dirtree');
  return encode(TYPE, [
    tree.files.map(({ name, checksum }) => [name, checksumBytes(checksum)] as const),
    tree.directories.map(({ name, tree, meta }) => [name, checksumBytes(tree), checksumBytes(meta)] as const),
  ]);
}

function checkNames({ files, directories }: DirTree, format: string): void {
  checkArray(files, format, 'files');
  checkArray(directories, format, 'directories');
  if (files.length === 0 || directories.length === 0) return;
  const names = new Set(files.map(({ name }) => name));
  const twice = directories.findIndex(({ name }) => names.has(name));
  if (twice !== -1) {
    const name = JSON.stringify(directories[twice]?.name);
    throw new FormatError(format, `directories[${twice}].name`, `${name} is a file too`);
  }
}

function checkArray(entries: readonly { readonly name: string }[], format: string, field: string): void {
  let previous: string | undefined;
  for (const [i, { name }] of entries.entries()) {
    const problem = filenameProblem(name) ?? orderProblem(previous, name);
    if (problem !== undefined) throw new FormatError(format, `${field}[${i}].name`, problem);
    previous = name;
  }
}

/** What makes `name` unusable as the name of a directory entry, if anything does. */
function filenameProblem(name: string): string | undefined {
  if (name === '') return 'Invalid empty filename';
  if (name === '.') return "Invalid self-referential filename '.'";
  if (name === '..') return "Invalid path uplink filename '..'";
  if (name.includes('/')) return `Invalid / in filename ${name}`;
  if (name.includes('\0')) return 'Invalid NUL in filename';
  return name.isWellFormed() ? undefined : 'Invalid filename: not Unicode text';
}

function orderProblem(previous: string | undefined, name: string): string | undefined {
  const order = previous === undefined ? -1 : compareUtf8(previous, name);
  if (order < 0) return undefined;
  const which = JSON.stringify(name);
  return order === 0 ? `${which} occurs twice` : `${which} is not in order, it follows ${JSON.stringify(previous)}`;
}
