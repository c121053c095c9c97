/** What can be compared: the trees of commits, images, dump files and directories. */
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { CfsError, hasCode, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { storedTree } from '../commit/image.ts';
import { readCommit, resolveCommit } from '../commit/stored.ts';
import { SUPERBLOCK_MAGIC, SUPERBLOCK_OFFSET } from '../erofs/format.ts';
import { readDirectory } from '../directory/read.ts';
import { contentAlgorithm, type FieldName } from './fields.ts';
import { readImage } from '../erofs/read.ts';
import type { OnProgress } from '../progress.ts';
import { resolveImage } from '../repository/images.ts';
import { readObject } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import { parseDump } from '../tree/dumpfile-parse.ts';
import type { Directory, Inode } from '../tree/tree.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';

export type OperandKind = 'commit' | 'image' | 'dump' | 'directory';

export interface Operand {
  /** As the user wrote it. */
  readonly name: string;
  readonly kind: OperandKind;
  readonly tree: Directory;
  /** Of a commit. */
  readonly commit?: OstreeChecksum;
  /** The bytes of an image. */
  readonly image?: Uint8Array;
}

export interface ReadOperandOptions {
  /** Opens the repository in which names are looked up. */
  readonly openRepository: () => Promise<Repository>;
  /** The algorithm of digests of files in directories, where the other side does not tell. */
  readonly algorithm: () => HashAlgorithm;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Reads what names mean: a path, which begins with `/` or `.`, of a directory, an image or a dump file; else a stored commit by ref or
 * id; else an image by ref or digest. The files of directories are hashed as those of the others are.
 * @throws NotFoundError, and what reading throws.
 */
export async function readOperands(names: readonly string[], options: ReadOperandOptions): Promise<Operand[]> {
  const read: (Operand | undefined)[] = [];
  for (const name of names) read.push(await readAtOnce(name, options));
  const known = read.flatMap((operand) => (operand === undefined ? [] : (digestAlgorithm(operand.tree) ?? [])));
  const operands: Operand[] = [];
  for (const [i, name] of names.entries()) {
    operands.push(read[i] ?? (await readDirectoryOperand(name, known[0] ?? options.algorithm(), options)));
  }
  return operands;
}

/** A name that is no directory. */
async function readAtOnce(name: string, { openRepository }: ReadOperandOptions): Promise<Operand | undefined> {
  return isPath(name) ? readPath(name) : readStored(await openRepository(), name);
}

function isPath(name: string): boolean {
  return /^[/.]/.test(name);
}

async function readDirectoryOperand(
  name: string,
  algorithm: HashAlgorithm,
  { signal, onProgress }: ReadOperandOptions,
): Promise<Operand> {
  const { root } = await readDirectory(name, {
    content: { algorithm, writer: undefined, batch: 0 },
    threads: availableParallelism(),
    hardLinks: true,
    signal,
    onProgress,
  });
  return { name, kind: 'directory', tree: root };
}

/** The algorithm of the first digest in a tree. */
function digestAlgorithm(root: Directory): HashAlgorithm | undefined {
  const pending: Inode[] = [root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'directory') for (const inode of next.entries.values()) pending.push(inode);
    else if (next.digest !== undefined) return contentAlgorithm(next);
  }
  return undefined;
}

function readPath(name: string): Operand | undefined {
  const stat = statSync(name, { throwIfNoEntry: false });
  if (stat === undefined) throw new NotFoundError(`There is no file or directory ${name}`, { path: name });
  if (stat.isDirectory()) return undefined;
  if (isImageFile(name)) {
    const image = readFileSync(name);
    return { name, kind: 'image', tree: readImage(image), image };
  }
  return { name, kind: 'dump', tree: parseDump(readFileSync(name)) };
}

function isImageFile(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(4);
    return readSync(fd, magic, 0, 4, SUPERBLOCK_OFFSET) === 4 && magic.readUInt32LE() === SUPERBLOCK_MAGIC;
  } catch (error) {
    // Neither is a pipe.
    if (hasCode(error, 'ESPIPE')) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function readStored(repository: Repository, name: string): Promise<Operand> {
  const commit = findCommit(repository, name);
  if (commit !== undefined) {
    return { name, kind: 'commit', commit, tree: await storedTree(readCommit(repository, commit)) };
  }
  const id = findImage(repository, name);
  const image = readObject(repository, id);
  return { name, kind: 'image', tree: readImage(image), image };
}

function findCommit(repository: Repository, name: string): OstreeChecksum | undefined {
  try {
    return resolveCommit(repository, name);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

function findImage(repository: Repository, name: string): ReturnType<typeof resolveImage> {
  try {
    return resolveImage(repository, name);
  } catch (error) {
    if (!(error instanceof CfsError) || error.code !== 'NOT_FOUND') throw error;
    throw new NotFoundError(
      `'${name}' is no stored commit and no image in ${repository.path}; paths begin with '/' or './'`,
      { name },
      error,
    );
  }
}

/** Commits have no times of change, and link counts that only say how often a commit has a file. */
export function uncomparable(a: Operand, b: Operand): ReadonlySet<FieldName> {
  return new Set(a.kind === 'commit' || b.kind === 'commit' ? ['mtime', 'links'] : []);
}
