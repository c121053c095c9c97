/**
 * What composefs-rs makes of the directory of a root file system before it becomes an image, so that the same image comes of a
 * container's file system however it was unpacked, and of one that a boot loader hands over.
 */
import { CfsError } from '../../bytes/errors.ts';
import type { ByteString } from '../tree/byte-string.ts';
import { NO_XATTRS, type Directory, type Inode, type Stat, type Xattr } from '../tree/tree.ts';

const USR = 'usr' as ByteString;
const RUN = 'run' as ByteString;
const CAPABILITY = 'security.capability';
const SELINUX = 'security.selinux';

/** Metadata of the root from `/usr`, an empty `/run`, and no xattrs but capabilities. @throws CfsError CONFLICT */
export function normalizeContainerRoot(root: Directory, options: { readonly keepUserXattrs: boolean }): void {
  const usr = subdirectory(root, USR);
  root.stat = usr.stat;
  if (root.entries.has(RUN)) empty(subdirectory(root, RUN), usr.stat);
  keepXattrs(root, ({ name }) => name === CAPABILITY || (options.keepUserXattrs && name.startsWith('user.')));
  countLinks(root);
}

/** Empty `/boot` and `/sysroot`, and no SELinux labels: for a root without a policy of its own. @throws CfsError CONFLICT */
export function prepareForBoot(root: Directory): void {
  const { stat } = subdirectory(root, USR);
  for (const name of ['boot', 'sysroot'] as ByteString[]) empty(subdirectory(root, name), stat);
  keepXattrs(root, ({ name }) => name !== SELINUX);
  countLinks(root);
}

function subdirectory(root: Directory, name: ByteString): Directory {
  const node = root.entries.get(name);
  if (node?.kind === 'directory') return node;
  const what = node === undefined ? 'it has no' : 'it has something else as';
  throw new CfsError('CONFLICT', `Cannot make a root file system of this directory: ${what} directory /${name}`);
}

/** Removes the entries; the time of change is that of `like`. */
function empty(node: Directory, { mtimeSec, mtimeNsec }: Stat): void {
  node.entries.clear();
  node.stat = { ...node.stat, mtimeSec, mtimeNsec };
}

function* inodesOf(root: Directory): Generator<Inode, void, undefined> {
  const seen = new Set<Inode>([root]);
  for (const node of seen) {
    yield node;
    if (node.kind === 'directory') for (const child of node.entries.values()) seen.add(child);
  }
}

function keepXattrs(root: Directory, isKept: (xattr: Xattr) => boolean): void {
  const filtered = new Map<readonly Xattr[], readonly Xattr[]>([[NO_XATTRS, NO_XATTRS]]);
  for (const node of inodesOf(root)) {
    const { xattrs } = node.stat;
    let kept = filtered.get(xattrs);
    if (kept === undefined) {
      const some = xattrs.filter(isKept);
      kept = some.length === xattrs.length ? xattrs : some.length === 0 ? NO_XATTRS : some;
      filtered.set(xattrs, kept);
    }
    if (kept !== xattrs) node.stat = { ...node.stat, xattrs: kept };
  }
}

/** Names outside of the tree do not count, nor those that were removed. */
function countLinks(root: Directory): void {
  const nodes = [...inodesOf(root)];
  for (const node of nodes) node.nlink = 0;
  for (const node of nodes) {
    if (node.kind === 'directory') for (const child of node.entries.values()) child.nlink++;
  }
}
