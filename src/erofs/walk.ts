/**
 * The inodes of an image in their order, and for every directory its entries as they will be stored, with `.`, `..` and the
 * whiteout stubs of the root.
 */
import { CfsError } from '../../bytes/errors.ts';
import type { ByteString } from '../tree/byte-string.ts';
import { InodeList } from '../tree/inode-list.ts';
import { isWhiteout, special, type Directory, type Inode } from '../tree/tree.ts';
import { XATTR_SELINUX } from './format.ts';
import type { Rules } from './rules.ts';

export interface PlannedDirectory {
  readonly node: Directory;
  /** Every entry, in byte order of the names. */
  readonly names: readonly ByteString[];
  readonly inodes: readonly Inode[];
  /** Inodes that belong to entries of this directory, in the same order. */
  readonly children: Inode[];
  readonly subdirectories: PlannedDirectory[];
  /** One of the children is a whiteout that gets escaped. */
  hasWhiteouts: boolean;
}

export interface Walk {
  readonly list: InodeList;
  /** In the order in which their inodes are in the list. */
  readonly directories: readonly PlannedDirectory[];
  readonly stubs: ReadonlySet<Inode>;
  readonly hasWhiteouts: boolean;
}

const DOT = '.' as ByteString;
const DOT_DOT = '..' as ByteString;

/** Walks the tree. @throws CfsError when the tree is none: directories with two entries, a hard link without an inode */
export function walkTree(root: Directory, rules: Rules): Walk {
  const stubs = new Set<Inode>();
  const entries = rules.e2 ? root.entries : withStubs(root, rules, stubs);
  const list = new InodeList();
  list.add(root);
  const planned = plan(root, root, entries);
  const directories = [planned];
  let hasWhiteouts = false;
  let hasLinks = false;

  const stack: { readonly directory: PlannedDirectory; next: number }[] = [{ directory: planned, next: 0 }];
  for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
    const { directory } = level;
    const { names, inodes } = directory;
    const links = rules.declaredLinks ? directory.node.links : undefined;
    let into: PlannedDirectory | undefined;
    while (level.next < names.length && into === undefined) {
      const at = level.next++;
      const name = names[at]!;
      const child = inodes[at]!;
      if (name === DOT || name === DOT_DOT) continue;
      if (links !== undefined && links.has(name)) {
        hasLinks = true;
        continue;
      }
      if (list.has(child)) {
        if (child.kind === 'directory')
          throw new CfsError('CORRUPT', `Cannot write an image: '${name}' is one of two entries of a directory`);
        hasLinks = true;
        continue;
      }
      list.add(child);
      directory.children.push(child);
      if (child.kind === 'directory') {
        into = plan(child, directory.node, child.entries);
        directory.subdirectories.push(into);
        directories.push(into);
        stack.push({ directory: into, next: 0 });
      } else if (!rules.e2 && isWhiteout(child) && !stubs.has(child)) {
        directory.hasWhiteouts = true;
        hasWhiteouts = true;
      }
    }
    if (into === undefined) stack.pop();
  }
  if (hasLinks) checkLinks(directories, list);
  return rules.e2 ? { list, directories, stubs, hasWhiteouts } : breadthFirst(planned, stubs, hasWhiteouts);
}

function plan(node: Directory, parent: Directory, entries: Directory['entries']): PlannedDirectory {
  const names: ByteString[] = [DOT, DOT_DOT];
  for (const name of entries.keys()) names.push(name);
  for (let i = 1; i < names.length; i++) {
    if (names[i - 1]! >= names[i]!) {
      names.sort();
      break;
    }
  }
  const inodes: Inode[] = [];
  for (const name of names) {
    inodes.push(name === DOT ? node : name === DOT_DOT ? parent : entries.get(name)!);
  }
  return { node, names, inodes, children: [], subdirectories: [], hasWhiteouts: false };
}

function breadthFirst(root: PlannedDirectory, stubs: ReadonlySet<Inode>, hasWhiteouts: boolean): Walk {
  const list = new InodeList();
  list.add(root.node);
  const directories = [root];
  for (const directory of directories) {
    for (const child of directory.children) list.add(child);
    for (const subdirectory of directory.subdirectories) directories.push(subdirectory);
  }
  return { list, directories, stubs, hasWhiteouts };
}

/** Every entry must lead to an inode that has a place. */
function checkLinks(directories: readonly PlannedDirectory[], list: InodeList): void {
  for (const { inodes, names } of directories) {
    for (const [i, inode] of inodes.entries()) {
      if (!list.has(inode)) {
        throw new CfsError(
          'CORRUPT',
          `Cannot write an image: the inode of hard link '${names[i]!}' is not in the tree`,
        );
      }
    }
  }
}

/** The entries of the root with a whiteout stub for each name `00`..`ff` that is free. */
function withStubs(root: Directory, rules: Rules, stubs: Set<Inode>): Directory['entries'] {
  const entries = new Map(root.entries);
  const selinux = root.stat.xattrs.filter(({ name }) => name === XATTR_SELINUX);
  const stat = { ...root.stat, mode: 0o644, xattrs: selinux };
  for (let byte = 0; byte < 256; byte++) {
    const name = byte.toString(16).padStart(2, '0') as ByteString;
    const there = entries.get(name);
    if (there === undefined) {
      const stub = special('chardev', stat);
      stubs.add(stub);
      entries.set(name, stub);
    } else if (rules.adoptStubs && isStub(there, stat)) {
      stubs.add(there);
    }
  }
  return entries;
}

function isStub(node: Inode, stub: Inode['stat']): boolean {
  const { stat } = node;
  return (
    isWhiteout(node) &&
    stat.mode === stub.mode &&
    stat.uid === stub.uid &&
    stat.gid === stub.gid &&
    stat.mtimeSec === stub.mtimeSec &&
    stat.mtimeNsec === stub.mtimeNsec &&
    stat.xattrs.length === stub.xattrs.length &&
    stat.xattrs.every(({ name, value }, i) => {
      const other = stub.xattrs[i]!;
      return name === other.name && Buffer.compare(value, other.value) === 0;
    })
  );
}
