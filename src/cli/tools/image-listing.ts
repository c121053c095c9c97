/** The texts of `composefs-info`: a listing, a dump that tells what is stored, and the payloads of an image. */
import type { StoredDirectories } from '../../erofs/read.ts';
import { byteStringFrom, type ByteString } from '../../tree/byte-string.ts';
import { escapeField, escapePath, xattrText } from '../../tree/dumpfile-format.ts';
import { sortedNames, typeBits, type Directory, type Inode } from '../../tree/tree.ts';

interface Entry {
  readonly path: ByteString;
  readonly node: Inode;
  /** Of the first entry of the same inode, for all but that. */
  readonly linkTo: ByteString | undefined;
}

/** The root and all below it, each directory before its entries, names in byte order. */
function* walk(root: Directory): Generator<Entry> {
  const first = new Map<Inode, ByteString>();
  const stack: Entry[] = [{ path: '/' as ByteString, node: root, linkTo: undefined }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { node, path } = entry;
    const linkTo = first.get(node);
    if (linkTo === undefined) first.set(node, path);
    yield linkTo === undefined ? entry : { path, node, linkTo };
    if (node.kind !== 'directory') continue;
    const above = node === root ? '' : path;
    for (const name of sortedNames(node).reverse()) {
      stack.push({ path: `${above}/${name}` as ByteString, node: node.entries.get(name)!, linkTo: undefined });
    }
  }
}

/** `PATH`, then `/` and a tab, a tab and `-> TARGET`, or a tab and `@ PAYLOAD`; the root is left out. */
export function* listingLines(root: Directory): Generator<string> {
  for (const { path, node, linkTo } of walk(root)) {
    if (node === root) continue;
    const escaped = escapePath(path).replaceAll(String.raw`\x20`, ' ');
    if (linkTo !== undefined) yield escaped;
    else if (node.kind === 'directory') yield `${escaped}/\t`;
    else if (node.kind === 'symlink') yield `${escaped}\t-> ${escapePath(node.payload)}`;
    else if (node.payload === undefined) yield escaped;
    else yield `${escaped}\t@ ${escapePath(node.payload)}`;
  }
}

/** Lines of composefs-dump(5); a hard link repeats the fields of its inode. */
export function* storedDumpLines(root: Directory, directories: StoredDirectories): Generator<string> {
  for (const { path, node, linkTo } of walk(root)) {
    const { mode, uid, gid, mtimeSec, mtimeNsec, xattrs } = node.stat;
    const { size, nlink } = node.kind === 'directory' ? directories.get(node)! : node;
    const type = (typeBits(node.kind) | mode).toString(8);
    const payload = linkTo === undefined ? escapeField(node.payload ?? '') : escapePath(linkTo);
    const content = node.content === undefined ? '-' : escapeField(byteStringFrom(node.content));
    yield (
      `${escapePath(path)} ${size} ${linkTo === undefined ? '' : '@'}${type} ${nlink} ${uid} ${gid} ${node.rdev} ` +
        `${mtimeSec}.${mtimeNsec} ${payload} ${content} ${node.digest ?? '-'}${xattrText(xattrs)}`
    );
  }
}

/** Where the contents of external files lie, each once or more. */
export function* externalPayloads(root: Directory): Generator<ByteString> {
  for (const { node } of walk(root)) if (node.kind === 'file' && node.payload !== undefined) yield node.payload;
}
