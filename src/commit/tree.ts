/**
 * The file tree of a commit, as its image has it: root metadata from the root dirmeta, every mtime 0, one inode for all files
 * with the same OSTree checksum (they become hard links), nothing filtered or renamed.
 *
 * OSTree ends the names of extended attributes with a NUL; `ostree/` has taken it off, so the kernel finds them by their
 * names.
 */
import { CfsError, FormatError, NotFoundError } from '../../bytes/errors.ts';
import { byteString, type ByteString } from '../tree/byte-string.ts';
import {
  directory,
  externalFile,
  inlineFile,
  objectPayload,
  symlink,
  type Directory,
  type Inode,
  type Stat,
  type Xattr,
} from '../tree/tree.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { DirMeta } from '../../ostree/dirmeta.ts';
import { decodeArchiveHeader, isSymlinkMode, type FileHeader } from '../../ostree/file-header.ts';
import type { StoredObject } from './content.ts';
import type { CommitGraph } from './graph.ts';
import { missingObject } from './partial.ts';
import { lookUp, type DirectoryEntry } from './graph-path.ts';

/** Linux NAME_MAX. */
const MAX_NAME = 255;
/** Linux XATTR_NAME_MAX, and the most that an image can hold of a value, and of all xattrs of an inode. */
const MAX_XATTR_NAME = 255;
const MAX_XATTR_VALUE = 0xffff;
const MAX_XATTRS = 255 * 1024;
const PERMISSION_BITS = 0o7777;

/** @param object for messages. @throws CfsError LIMIT for xattrs that no image can hold. */
function stat({ mode, uid, gid, xattrs }: Pick<DirMeta, 'mode' | 'uid' | 'gid' | 'xattrs'>, object: string): Stat {
  let total = 0;
  for (const { name, value } of xattrs) {
    total += 8 + name.length + value.length;
    const tooLarge =
      name.length > MAX_XATTR_NAME
        ? `the name of an xattr has ${name.length} bytes`
        : value.length > MAX_XATTR_VALUE
          ? `its xattr ${name} has ${value.length} bytes`
          : total > MAX_XATTRS
            ? `its xattrs have more than ${MAX_XATTRS} bytes`
            : undefined;
    if (tooLarge !== undefined) throw new CfsError('LIMIT', `Cannot put ${object} into an image: ${tooLarge}`);
  }
  return { mode: mode & PERMISSION_BITS, uid, gid, mtimeSec: 0n, mtimeNsec: 0, xattrs: xattrs as readonly Xattr[] };
}

function entryName(name: string, checksum: OstreeChecksum): ByteString {
  const bytes = byteString(name);
  if (bytes.length > MAX_NAME) {
    throw new CfsError('LIMIT', `Cannot build a tree from dirtree ${checksum}: a name has ${bytes.length} bytes`);
  }
  return bytes;
}

/** Files without xattrs have one of few owners and modes: below this, a number tells both owner and mode. */
const MAX_SHARED_OWNER = 0x1_0000;

/** The inodes of one tree's files, which can be made before the tree is. */
export class FileInodes {
  readonly #inodes = new Map<OstreeChecksum, Inode>();
  readonly #stats = new Map<number, Stat>();

  /** @throws FormatError for data that do not fit their header; CfsError LIMIT for what no image can hold. */
  make(checksum: OstreeChecksum, { data, object }: StoredObject): Inode {
    const { header, size, length } = decodeArchiveHeader(data, checksum);
    const made = this.#stat(header, checksum);
    const problem = (text: string): FormatError => new FormatError(`stored file ${checksum}`, 'content', text, length);
    let inode: Inode;
    if (object !== undefined) {
      if (data.length > length) throw problem('an object, and inline content too');
      if (isSymlinkMode(header.mode)) throw problem('a symlink with an object');
      inode = externalFile(made, size, object, objectPayload(object), 0);
    } else {
      const content = data.subarray(length);
      if (content.length !== size) throw problem(`${content.length} inline bytes, but ${size} are declared`);
      inode = isSymlinkMode(header.mode)
        ? symlink(made, byteString(header.symlinkTarget), 0)
        : inlineFile(made, content, 0);
    }
    this.#inodes.set(checksum, inode);
    return inode;
  }

  get(checksum: OstreeChecksum): Inode | undefined {
    return this.#inodes.get(checksum);
  }

  /** For a file that turned out not to be there. */
  forget(checksum: OstreeChecksum): void {
    this.#inodes.delete(checksum);
  }

  #stat(header: FileHeader, checksum: OstreeChecksum): Stat {
    const { mode, uid, gid, xattrs } = header;
    if (xattrs.length > 0 || uid >= MAX_SHARED_OWNER || gid >= MAX_SHARED_OWNER)
      return stat(header, `file ${checksum}`);
    const key = (uid * MAX_SHARED_OWNER + gid) * (PERMISSION_BITS + 1) + (mode & PERMISSION_BITS);
    let known = this.#stats.get(key);
    if (known === undefined) this.#stats.set(key, (known = stat(header, `file ${checksum}`)));
    return known;
  }
}

/**
 * Builds the tree.
 * @param file gives what the commit stream holds of a file.
 * @param path an absolute path: the directory there becomes the root.
 * @param inodes of files that were looked at already, for this tree alone.
 * @throws FormatError for a file whose data do not fit its header; NotFoundError for a path that is no directory; CfsError PARTIAL
 *   for what a partial commit lacks, LIMIT for what no image can hold.
 */
export function commitTree(
  graph: CommitGraph,
  file: (checksum: OstreeChecksum) => StoredObject | undefined,
  path = '/',
  inodes = new FileInodes(),
): Directory {
  const stats = new Map<OstreeChecksum, Stat>();

  const directoryStat = (meta: OstreeChecksum): Stat => {
    let known = stats.get(meta);
    if (known === undefined) {
      const dirmeta = graph.dirmetas.get(meta) ?? missingObject(graph, 'dirmeta', meta);
      stats.set(meta, (known = stat(dirmeta, `dirmeta ${meta}`)));
    }
    return known;
  };
  const fileInode = (checksum: OstreeChecksum): Inode => {
    const inode =
      inodes.get(checksum) ?? inodes.make(checksum, file(checksum) ?? missingObject(graph, 'file', checksum));
    inode.nlink++;
    return inode;
  };

  const top = findDirectory(graph, path);
  const root = directory(directoryStat(top.meta));
  const pending: [Directory, OstreeChecksum][] = [[root, top.tree]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [parent, checksum] = next;
    const tree = graph.dirtrees.get(checksum) ?? missingObject(graph, 'dirtree', checksum);
    for (const entry of tree.files) parent.entries.set(entryName(entry.name, checksum), fileInode(entry.checksum));
    for (const entry of tree.directories) {
      const child = directory(directoryStat(entry.meta));
      parent.entries.set(entryName(entry.name, checksum), child);
      pending.push([child, entry.tree]);
    }
  }
  return root;
}

/** Objects of the directory at an absolute path. */
function findDirectory(graph: CommitGraph, path: string): DirectoryEntry {
  const found = lookUp(graph, path);
  if (found?.kind === 'directory') return found;
  if (found?.kind === 'unknown') return missingObject(graph, 'dirtree', found.tree);
  const problem = found === undefined ? `has no directory ${path}` : `has a file at ${path}, no directory`;
  throw new NotFoundError(`Commit ${graph.checksum} ${problem}`, { commit: graph.checksum, path });
}
