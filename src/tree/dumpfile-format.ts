/**
 * A tree as composefs-dump(5) text: pre-order, names in byte order, one line per entry. The fields follow composefs-rs:
 * directories have size 0, a hard link is one fixed line that names the first entry of its inode. The text is ASCII.
 */
import { CfsError } from '../../bytes/errors.ts';
import { byteStringFrom, type ByteString } from './byte-string.ts';
import { InodeList } from './inode-list.ts';
import { directoryLinks, sortedNames, typeBits, type Directory, type Inode, type Xattr } from './tree.ts';

const literal = /^[\x21-\x5b\x5d-\x7e]*$/;
const special = /[^\x21-\x5b\x5d-\x7e]/g;
const named: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeByte(character: string): string {
  return named[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** A path as dump text. */
export function escapePath(bytes: ByteString): string {
  return literal.test(bytes) ? bytes : bytes.replace(special, escapeByte);
}

/** A payload or content field: `-` stands for nothing, and a lone dash is escaped. */
export function escapeField(bytes: string): string {
  if (bytes.length <= 1) {
    if (bytes === '') return '-';
    if (bytes === '-') return '\\x2d';
  }
  return literal.test(bytes) ? bytes : bytes.replace(special, escapeByte);
}

function escapeXattr(bytes: string): string {
  return escapePath(bytes as ByteString).replaceAll('=', '\\x3d');
}

const xattrTexts = new WeakMap<readonly Xattr[], string>();

/** The fields of extended attributes, each with a space in front. */
export function xattrText(xattrs: readonly Xattr[]): string {
  if (xattrs.length === 0) return '';
  let text = xattrTexts.get(xattrs);
  if (text === undefined) {
    text = xattrs.map(({ name, value }) => ` ${escapeXattr(name)}=${escapeXattr(byteStringFrom(value))}`).join('');
    xattrTexts.set(xattrs, text);
  }
  return text;
}

/** The line of an inode under an escaped path, without its line feed. */
function formatEntry(path: string, node: Inode): string {
  const { stat } = node;
  const mode = (typeBits(node.kind) | stat.mode).toString(8);
  const nlink = node.kind === 'directory' ? directoryLinks(node) : node.nlink;
  const payload = node.payload === undefined ? '-' : escapeField(node.payload);
  const content = node.content === undefined ? '-' : escapeField(byteStringFrom(node.content));
  const head = `${path} ${node.size} ${mode} ${nlink} ${stat.uid} ${stat.gid} ${node.rdev} ${stat.mtimeSec}.${stat.mtimeNsec}`;
  return `${head} ${payload} ${content} ${node.digest ?? '-'}${xattrText(stat.xattrs)}`;
}

interface Level {
  readonly path: string;
  readonly node: Directory;
  readonly names: readonly ByteString[];
  next: number;
}

/**
 * The lines of a tree, or of the part of one that lies at `at`, without line feeds.
 * @throws CfsError when a directory has two entries.
 */
export function* dumpLines(root: Inode, at: ByteString = '/' as ByteString): Generator<string, void, undefined> {
  const seen = new InodeList();
  const paths: string[] = [];
  const top = escapePath(at);
  seen.add(root);
  paths.push(top);
  yield formatEntry(top, root);
  if (root.kind !== 'directory') return;
  const stack: Level[] = [{ path: top === '/' ? '' : top, node: root, names: sortedNames(root), next: 0 }];
  for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      stack.pop();
      continue;
    }
    const node = level.node.entries.get(name)!;
    const path = `${level.path}/${escapePath(name)}`;
    const first = seen.indexOf(node);
    if (first >= 0) {
      if (node.kind === 'directory')
        throw new CfsError('CORRUPT', `Cannot dump ${path}: the directory has two entries`);
      yield `${path} 0 @120000 - - - - 0.0 ${paths[first]!} - -`;
      continue;
    }
    seen.add(node);
    paths.push(path);
    yield formatEntry(path, node);
    if (node.kind === 'directory') stack.push({ path, node, names: sortedNames(node), next: 0 });
  }
}

/** The whole dump as one text; use `dumpLines` for trees whose text may be too long for one string. */
export function formatDump(root: Directory): string {
  let text = '';
  for (const line of dumpLines(root)) text += `${line}\n`;
  return text;
}
