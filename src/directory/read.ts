/**
 * A directory of the file system as a tree. Every name is looked up in the open directory that holds it and no symlink is
 * followed, so that what is read lies below the root whatever is moved about meanwhile.
 *
 * Content of 1 to 64 bytes becomes part of the tree; of more, its digest does, and on demand an object.
 */
import { closeSync, constants, readdirSync, readSync } from 'node:fs';
import { CfsError, UnsupportedError } from '../../bytes/errors.ts';
import { AT_FDCWD, identityKey, openAt, readLinkAt, statAt, statOpen, type FileStat } from '../linux/at.ts';
import { getXattr, listXattrs, type PathOrFd } from '../linux/xattr.ts';
import type { OnProgress } from '../progress.ts';
import { byteString, byteStringFrom, type ByteString } from '../tree/byte-string.ts';
import { MAX_DEPTH, MAX_INODES } from '../tree/dumpfile-parse.ts';
import {
  directory,
  externalFile,
  inlineFile,
  kindOfMode,
  NO_XATTRS,
  objectPayload,
  special,
  symlink,
  type Directory,
  type Inode,
  type InodeKind,
  type RegularFile,
  type Stat,
  type Xattr,
} from '../tree/tree.ts';
import type { ContentTask } from './content-file.ts';
import type { StoreOutcome } from './content-ring.ts';
import { ContentThreads } from './content-threads.ts';
import { ReadFailure, readFailure } from './failure.ts';

/** Largest content that becomes part of the tree, in bytes. */
export const MAX_INLINE = 64;

/** Distinct sets of xattrs that are remembered; trees have far fewer, except where every value is unique. */
const MAX_REMEMBERED = 10_000;

const { O_RDONLY, O_DIRECTORY, O_NONBLOCK, O_NOCTTY } = constants;

export interface ReadOptions {
  /** What to do with contents of more than 64 bytes. */
  readonly content: ContentTask;
  /** The greatest number of threads that work on contents. */
  readonly threads: number;
  /** Files with several names become one inode; else each name becomes an inode of its own, with one link. */
  readonly hardLinks: boolean;
  readonly xattrs?: 'all' | 'user' | 'none' | undefined;
  /** Set all times of change to 0. */
  readonly useEpoch?: boolean | undefined;
  /** Leave out device nodes. */
  readonly skipDevices?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface ReadDirectory {
  readonly root: Directory;
  /** Objects by how they came to be there; all 0 when none are stored. */
  readonly objects: Readonly<Record<StoreOutcome, number>>;
  /** Of contents of more than 64 bytes. */
  readonly bytes: number;
}

/**
 * Reads a directory; a symlink in the place of the last component of `path` is not followed.
 * @throws CfsError with the fact `path` for what cannot be read, changes meanwhile, or is a directory within itself;
 * CfsError LIMIT; the reason of the signal.
 */
export async function readDirectory(path: string, options: ReadOptions): Promise<ReadDirectory> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  await using threads = new ContentThreads(options.content, options.threads, () => {
    signal?.throwIfAborted();
    onProgress?.({ phase: 'content', done: threads.done, bytes: threads.bytes });
  });
  const root = await new DirectoryReader(options, threads).read(path);
  await threads.finish();
  onProgress?.({ phase: 'content', done: threads.done, total: threads.done, bytes: threads.bytes });
  return { root, objects: threads.outcomes, bytes: threads.bytes };
}

/** An open directory whose entries are being read. */
interface Level {
  readonly fd: number;
  readonly node: Directory;
  /** As a byte string, without a slash at the end. */
  readonly path: string;
  readonly identity: string;
  readonly names: readonly string[];
  next: number;
}

class DirectoryReader {
  readonly #options: ReadOptions;
  readonly #threads: ContentThreads;
  readonly #stack: Level[] = [];
  /** By identity, of files that have several names. */
  readonly #linked = new Map<string, Inode>();
  /** By their text, so that equal ones are one array. */
  readonly #xattrs = new Map<string, readonly Xattr[]>();
  readonly #small = Buffer.allocUnsafe(MAX_INLINE + 1);
  #inodes = 0;

  constructor(options: ReadOptions, threads: ContentThreads) {
    this.#options = options;
    this.#threads = threads;
  }

  async read(path: string): Promise<Directory> {
    const bytes = byteString(path);
    try {
      const root = this.#open(AT_FDCWD, bytes, bytes.replace(/\/+$/, ''));
      for (let level = this.#stack.at(-1); level !== undefined; level = this.#stack.at(-1)) {
        const name = level.names[level.next++];
        if (name === undefined) {
          closeSync(level.fd);
          this.#stack.pop();
        } else {
          await this.#entry(level, name as ByteString);
          await this.#threads.breathe();
        }
      }
      return root;
    } finally {
      for (const { fd } of this.#stack) closeSync(fd);
    }
  }

  /** Opens a directory: it becomes the one that is read. */
  #open(parent: number, name: string, path: string): Directory {
    let fd: number | undefined;
    try {
      fd = openAt(parent, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
      const stat = statOpen(fd);
      const identity = identityKey(stat);
      if (this.#stack.length > MAX_DEPTH) throw new CfsError('LIMIT', `it is deeper than ${MAX_DEPTH} levels`);
      if (this.#stack.some((above) => above.identity === identity)) {
        throw new UnsupportedError('it is also one of the directories above it (a bind mount?); unmount it first');
      }
      const node = directory(this.#stat(stat, fd));
      const names = readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' }).sort();
      this.#stack.push({ fd, node, path, identity, names, next: 0 });
      return node;
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      throw readFailure(path, error);
    }
  }

  async #entry(level: Level, name: ByteString): Promise<void> {
    const path = `${level.path}/${name}`;
    const { entries } = level.node;
    try {
      const stat = statAt(level.fd, name);
      const kind = kindOfMode(stat.mode)!;
      if ((kind === 'chardev' || kind === 'blockdev') && this.#options.skipDevices === true) return;
      if (++this.#inodes > MAX_INODES) throw new CfsError('LIMIT', `there are more than ${MAX_INODES} files`);
      if (kind === 'directory') {
        entries.set(name, this.#open(level.fd, name, path));
        return;
      }
      const identity = this.#options.hardLinks && stat.nlink > 1 ? identityKey(stat) : undefined;
      const known = identity === undefined ? undefined : this.#linked.get(identity);
      if (known !== undefined) known.nlink++;
      const node = known ?? (await this.#leaf(level.fd, name, path, kind, stat));
      if (identity !== undefined) this.#linked.set(identity, node);
      entries.set(name, node);
    } catch (error) {
      throw error instanceof ReadFailure ? error : readFailure(path, error);
    }
  }

  async #leaf(
    directoryFd: number,
    name: ByteString,
    path: string,
    kind: Exclude<InodeKind, 'directory'>,
    stat: FileStat,
  ): Promise<Inode> {
    if (kind === 'file' && stat.size > 0) return this.#file(directoryFd, name, path, stat);
    const byPath = Buffer.from(`/proc/self/fd/${directoryFd}/${name}`, 'latin1');
    const made = this.#stat(stat, byPath);
    switch (kind) {
      case 'file':
        return inlineFile(made, this.#small.subarray(0, 0));
      case 'symlink':
        return symlink(made, readLinkAt(directoryFd, name) as ByteString);
      case 'chardev':
      case 'blockdev':
        return special(kind, made, stat.rdev);
      default:
        return special(kind, made);
    }
  }

  /** A file that has content. */
  async #file(directoryFd: number, name: ByteString, path: string, looked: FileStat): Promise<RegularFile> {
    const fd = openAt(directoryFd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    let keptOpen = false;
    try {
      const stat = statOpen(fd);
      if (identityKey(stat) !== identityKey(looked)) throw new CfsError('CORRUPT', 'it was replaced meanwhile');
      const made = this.#stat(stat, fd);
      if (stat.size <= MAX_INLINE) return inlineFile(made, this.#readSmall(fd, stat.size));
      const node = externalFile(made, stat.size, undefined, undefined);
      keptOpen = true;
      await this.#threads.add(fd, stat.size, path, (id) => {
        node.digest = id;
        node.payload = objectPayload(id);
      });
      return node;
    } finally {
      if (!keptOpen) closeSync(fd);
    }
  }

  #readSmall(fd: number, size: number): Uint8Array {
    const length = readSync(fd, this.#small, 0, MAX_INLINE + 1, 0);
    if (length !== size) throw new CfsError('CORRUPT', `it had ${size} bytes, and now has another size`);
    return Uint8Array.from(this.#small.subarray(0, length));
  }

  #stat({ mode, uid, gid, mtimeSec, mtimeNsec }: FileStat, file: PathOrFd): Stat {
    const epoch = this.#options.useEpoch === true;
    return {
      mode: mode & 0o7777,
      uid,
      gid,
      mtimeSec: epoch ? 0n : mtimeSec,
      mtimeNsec: epoch ? 0 : mtimeNsec,
      xattrs: this.#readXattrs(file),
    };
  }

  #readXattrs(file: PathOrFd): readonly Xattr[] {
    const { xattrs: wanted = 'all' } = this.#options;
    if (wanted === 'none') return NO_XATTRS;
    const xattrs: Xattr[] = [];
    for (const name of listXattrs(file).sort()) {
      if (wanted === 'user' && !name.startsWith('user.')) continue;
      const value = getXattr(file, name);
      if (value !== undefined) xattrs.push({ name: name as ByteString, value });
    }
    if (xattrs.length === 0) return NO_XATTRS;
    const key = xattrs.map(({ name, value }) => `${name}\0${value.length}\0${byteStringFrom(value)}`).join('');
    const known = this.#xattrs.get(key);
    if (known !== undefined) return known;
    if (this.#xattrs.size >= MAX_REMEMBERED) this.#xattrs.clear();
    this.#xattrs.set(key, xattrs);
    return xattrs;
  }
}
