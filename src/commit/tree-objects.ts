/**
 * The OSTree objects of a file tree: the way back from tree.ts. Content stays where it is in the repository; what a commit stream holds
 * inline, and an image as an object or the other way round, is moved.
 *
 * OSTree has neither times of change, hard links, devices nor names that are no UTF-8: the first two are lost, the others refused. Extended
 * attributes without a value are lost too: `ostree` does not see them in the file system, and would call the object corrupt there.
 */
import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { CfsError, ChecksumError, UnsupportedError } from '../../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeDirMeta } from '../../ostree/dirmeta.ts';
import { encodeDirTree, type TreeDirectory, type TreeFile } from '../../ostree/dirtree.ts';
import { encodeHashedHeader, toArchiveHeader, type FileHeader } from '../../ostree/file-header.ts';
import type { OnProgress } from '../progress.ts';
import { openObject, type ObjectStore } from '../repository/objects.ts';
import { isUtf8, toUtf8, type ByteString } from '../tree/byte-string.ts';
import {
  sortedNames,
  typeBits,
  type Directory,
  type Inode,
  type RegularFile,
  type Stat,
  type Symlink,
  type Xattr,
} from '../tree/tree.ts';
import { VerityHasher } from '../verity/digest.ts';
import { isObjectId, type ObjectId } from '../verity/object-id.ts';
import { inlineLimit, type StoredObject } from './content.ts';

export interface TreeObjects {
  readonly rootTree: OstreeChecksum;
  readonly rootMeta: OstreeChecksum;
  /** All dirtrees, dirmetas and files. */
  readonly objects: Map<OstreeChecksum, StoredObject>;
}

export interface TreeObjectsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

const PIECE_SIZE = 256 * 1024;
/** Milliseconds of work after which timers and signals are let in. */
const BREATH = 50;

/**
 * @param store where the contents of external files are.
 * @param storeObject stores content, and gives its object.
 * @throws UnsupportedError naming the path of what OSTree cannot hold; NotFoundError, CfsError CORRUPT for objects.
 */
export async function treeObjects(
  store: ObjectStore,
  storeObject: (content: Uint8Array) => ObjectId,
  root: Directory,
  options: TreeObjectsOptions = {},
): Promise<TreeObjects> {
  const maker = new ObjectMaker(store, storeObject);
  const leaves = listLeaves(root);
  let bytes = 0;
  let last = performance.now();
  for (const [i, { node, path }] of leaves.entries()) {
    maker.addLeaf(node, path);
    bytes += node.size;
    if (performance.now() - last < BREATH) continue;
    options.onProgress?.({ phase: 'content', done: i + 1, total: leaves.length, bytes });
    await setImmediate();
    options.signal?.throwIfAborted();
    last = performance.now();
  }
  return { ...maker.directory(root, '/'), objects: maker.objects };
}

interface Leaf {
  readonly node: RegularFile | Symlink;
  /** For messages. */
  readonly path: string;
}

/** All files and symlinks, each once. */
function listLeaves(root: Directory): Leaf[] {
  const seen = new Set<Inode>();
  const leaves: Leaf[] = [];
  const open: [Directory, string][] = [[root, '/']];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [parent, above] = next;
    for (const [name, node] of parent.entries) {
      const path = `${above}${toUtf8(name)}`;
      if (!isUtf8(name)) throw unsupported(path, 'its name is not UTF-8');
      if (node.kind === 'directory') open.push([node, `${path}/`]);
      else if (node.kind !== 'file' && node.kind !== 'symlink')
        throw unsupported(path, `it is a ${kindNames[node.kind]}`);
      else if (!seen.has(node)) leaves.push({ node, path });
      seen.add(node);
    }
  }
  return leaves;
}

const kindNames = { chardev: 'character device', blockdev: 'block device', fifo: 'FIFO', socket: 'socket' } as const;

function unsupported(path: string, problem: string): UnsupportedError {
  return new UnsupportedError(`Cannot commit ${path}: ${problem}, which OSTree cannot hold`, { path });
}

class ObjectMaker {
  readonly objects = new Map<OstreeChecksum, StoredObject>();
  readonly #store: ObjectStore;
  readonly #storeObject: (content: Uint8Array) => ObjectId;
  readonly #limit: number;
  readonly #leaves = new Map<Inode, OstreeChecksum>();
  readonly #metas = new Map<Stat, OstreeChecksum>();
  /** Checksums by header and object, for files that are equal without being one inode. */
  readonly #known = new Map<string, OstreeChecksum>();
  readonly #verity: VerityHasher;
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE_SIZE);

  constructor(store: ObjectStore, storeObject: (content: Uint8Array) => ObjectId) {
    this.#store = store;
    this.#storeObject = storeObject;
    this.#limit = inlineLimit(store.algorithm);
    this.#verity = new VerityHasher(store.algorithm);
  }

  addLeaf(node: RegularFile | Symlink, path: string): void {
    const header = encodeHashedHeader(headerOf(node, path));
    const object =
      node.kind === 'file' && node.content === undefined && node.size > 0 ? this.#objectOf(node, path) : undefined;
    const key = object === undefined ? undefined : `${object} ${Buffer.from(header).toString('latin1')}`;
    const checksum = (key === undefined ? undefined : this.#known.get(key)) ?? this.#addFile(node, header, object);
    if (key !== undefined) this.#known.set(key, checksum);
    this.#leaves.set(node, checksum);
  }

  #addFile(node: RegularFile | Symlink, hashedHeader: Uint8Array, object: ObjectId | undefined): OstreeChecksum {
    const size = node.kind === 'file' ? node.size : 0;
    const header = toArchiveHeader(hashedHeader, size);
    const inline = object === undefined ? (node.content ?? new Uint8Array(0)) : undefined;
    const hash = createHash('sha256').update(hashedHeader);
    let data: Uint8Array = header;
    let stored = object;
    if (inline !== undefined && size > this.#limit) {
      stored = this.#storeObject(inline);
      hash.update(inline);
    } else if (inline !== undefined) {
      data = Buffer.concat([header, inline]);
      hash.update(inline);
    } else {
      const small = this.#read(object!, size, (piece) => hash.update(piece));
      if (small !== undefined) {
        data = Buffer.concat([header, small]);
        stored = undefined;
      }
    }
    const checksum = hash.digest('hex') as OstreeChecksum;
    this.objects.set(checksum, { data, object: stored });
    return checksum;
  }

  /** Reads an object, which must have so many bytes; gives content that belongs into the stream. */
  #read(object: ObjectId, size: number, take: (piece: Uint8Array) => void): Uint8Array | undefined {
    const fd = openObject(this.#store, object);
    // In a secure repository the kernel measures what is read.
    const verity = this.#store.secure ? undefined : this.#verity;
    verity?.reset();
    try {
      let done = 0;
      for (let length = 1; length > 0; done += length) {
        length = readSync(fd, this.#buffer, 0, PIECE_SIZE, done);
        const piece = this.#buffer.subarray(0, length);
        take(piece);
        verity?.update(piece);
      }
      if (done !== size) {
        throw new CfsError('CORRUPT', `Object ${object} has ${done} bytes, but the tree says ${size}`, { id: object });
      }
      const actual = verity?.digest() ?? object;
      if (actual !== object) throw new ChecksumError(`object ${object}`, object, actual);
      return size > this.#limit ? undefined : Buffer.from(this.#buffer.subarray(0, size));
    } finally {
      closeSync(fd);
    }
  }

  /** The object with a file's content, by its digest or by its path below `objects/`. */
  #objectOf({ digest, payload }: RegularFile, path: string): ObjectId {
    const id = digest ?? payload?.replace(/^\/?(..)\//, '$1');
    if (id !== undefined && isObjectId(id, this.#store.algorithm)) return id;
    const where = payload === undefined ? 'nowhere: it is sparse' : `at ${toUtf8(payload)}`;
    throw new UnsupportedError(`Cannot commit ${path}: its content is no object of the repository, but ${where}`, {
      path,
    });
  }

  directory(node: Directory, path: string): { rootTree: OstreeChecksum; rootMeta: OstreeChecksum } {
    const files: TreeFile[] = [];
    const directories: TreeDirectory[] = [];
    for (const entry of sortedNames(node)) {
      const name = toUtf8(entry);
      const child = node.entries.get(entry)!;
      if (child.kind === 'directory') {
        const { rootTree: tree, rootMeta: meta } = this.directory(child, `${path}${name}/`);
        directories.push({ name, tree, meta });
      } else {
        files.push({ name, checksum: this.#leaves.get(child)! });
      }
    }
    return { rootTree: this.#add(encodeDirTree({ files, directories })), rootMeta: this.#meta(node.stat) };
  }

  #meta(stat: Stat): OstreeChecksum {
    const known = this.#metas.get(stat);
    if (known !== undefined) return known;
    const checksum = this.#add(
      encodeDirMeta({ ...stat, mode: stat.mode | typeBits('directory'), xattrs: withValue(stat.xattrs) }),
    );
    this.#metas.set(stat, checksum);
    return checksum;
  }

  #add(data: Uint8Array): OstreeChecksum {
    const checksum = checksumOf(data);
    this.objects.set(checksum, { data, object: undefined });
    return checksum;
  }
}

function headerOf(node: RegularFile | Symlink, path: string): FileHeader {
  const { uid, gid, mode, xattrs } = node.stat;
  const target: ByteString | undefined = node.kind === 'symlink' ? node.payload : undefined;
  if (target !== undefined && !isUtf8(target)) throw unsupported(path, 'its target is not UTF-8');
  return {
    uid,
    gid,
    mode: mode | typeBits(node.kind),
    symlinkTarget: target === undefined ? '' : toUtf8(target),
    xattrs: withValue(xattrs),
  };
}

function withValue(xattrs: readonly Xattr[]): readonly Xattr[] {
  return xattrs.every(({ value }) => value.length > 0) ? xattrs : xattrs.filter(({ value }) => value.length > 0);
}
