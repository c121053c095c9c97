/**
 * composefs-dump(5) text into a tree, by the rules of C `mkcomposefs --from-file` and with its messages, after
 * `Invalid composefs dump: line N: `. Stricter than C: a digest is exactly 64 (sha256) or 128 (sha512) hex digits, every
 * number is checked, and no hard link may lead to a directory.
 */
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { isObjectId, type ObjectId } from '../verity/object-id.ts';
import type { ByteString } from './byte-string.ts';
import { upToNul } from './dumpfile-escapes.ts';
import { DumpLine, EPOCH, type Mtime } from './dumpfile-line.ts';
import { XattrTexts } from './dumpfile-xattrs.ts';
import {
  directory,
  externalFile,
  inlineFile,
  kindOfMode,
  NO_XATTRS,
  special,
  symlink,
  type Directory,
  type Inode,
  type InodeKind,
  type Stat,
} from './tree.ts';

const LF = 0x0a;
const AT = 0x40;
const SLASH = 0x2f;

/** Largest inline file, in bytes. */
const MAX_INLINE_SIZE = 5000;
const MAX_PAYLOAD = 4095;
const MAX_NAME = 255;
export const MAX_INODES = 10_000_000;
/** Levels below the root. */
export const MAX_DEPTH = 2048;

/** The tree of a whole dump. @throws FormatError, CfsError LIMIT */
export function parseDump(bytes: Uint8Array): Directory {
  const parser = new DumpParser();
  parser.push(bytes);
  return parser.finish();
}

/** A hard link whose target was not there yet. */
interface PendingLink {
  readonly parent: Directory;
  readonly name: ByteString;
  readonly target: string;
  readonly line: number;
}

const NO_STAT: Stat = { mode: 0, uid: 0, gid: 0, mtimeSec: 0n, mtimeNsec: 0, xattrs: NO_XATTRS };
const NO_BYTES = Buffer.alloc(0);

/** Parses a dump that arrives in pieces: `push` each, then `finish`. Keeps no reference to the pieces. */
export class DumpParser {
  readonly #line = new DumpLine();
  /** Pieces of a line that has not ended yet. */
  #carry: Buffer[] = [];
  #root: Directory | undefined;
  #inodes = 0;
  /** The parent directory of the previous line, and the range of bytes that held its path with the last slash. */
  #parent: Directory | undefined;
  #parentBytes: Buffer = NO_BYTES;
  #parentFrom = 0;
  #parentLength = 0;
  #stat: Stat = NO_STAT;
  #mtime: Mtime = EPOCH;
  readonly #xattrs = new XattrTexts();
  /** By the inode that holds the link's place. */
  readonly #pending = new Map<Inode, PendingLink>();

  /** @throws FormatError, CfsError LIMIT */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    if (this.#carry.length > 0) {
      const end = bytes.indexOf(LF);
      this.#carry.push(Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)));
      if (end < 0) return;
      this.#endCarried();
      start = end + 1;
    }
    const nul = bytes.indexOf(0, start);
    while (start < bytes.length) {
      const end = bytes.indexOf(LF, start);
      if (end < 0) {
        this.#carry.push(Buffer.from(bytes.subarray(start)));
        break;
      }
      this.#entry(bytes, start, end, nul);
      start = end + 1;
    }
    this.#parentBytes = Buffer.from(
      this.#parentBytes.subarray(this.#parentFrom, this.#parentFrom + this.#parentLength),
    );
    this.#parentFrom = 0;
    this.#line.release();
  }

  /** Ends the dump (the last line needs no line feed) and gives its tree. @throws FormatError */
  finish(): Directory {
    if (this.#carry.length > 0) this.#endCarried();
    const root = this.#root;
    if (root === undefined) throw new FormatError('composefs dump', 'root', 'No files in dump file');
    for (const placeholder of this.#pending.keys()) this.#resolve(root, placeholder);
    return root;
  }

  #endCarried(): void {
    const bytes = Buffer.concat(this.#carry);
    this.#carry = [];
    this.#entry(bytes, 0, bytes.length, bytes.indexOf(0));
  }

  /** One line; `nul` is the first NUL of `bytes` that no earlier line has. */
  #entry(bytes: Buffer, start: number, end: number, nul: number): void {
    const line = this.#line;
    line.begin(bytes, start, end);
    if (nul >= 0 && nul < end) throw line.fail(`Invalid embedded NUL character at position ${nul - start}`);

    line.take();
    const { from, to, slash } = line;
    const plain = !line.escaped && bytes[from] === SLASH && slash < to - 1;
    const path = plain ? undefined : upToNul(line.unescaped());
    if (path === '') throw line.fail('Invalid empty path');

    const sizeAt = line.next;
    line.take();
    const isLink = line.next < end && bytes[line.next] === AT;
    if (isLink) line.next++;
    const mode = line.unsigned(8);
    const kind = mode < 2 ** 53 ? kindOfMode(mode % 2 ** 32) : undefined;
    if (kind === undefined) throw line.fail(`Invalid mode ${mode.toString(8)}`);

    if (++this.#inodes > MAX_INODES)
      throw new CfsError('LIMIT', `Cannot read the dump: more than ${MAX_INODES} entries`);
    if (path === '/') {
      if (kind !== 'directory' || isLink) throw line.fail('Root must be a directory');
      if (this.#root !== undefined) throw line.fail("Can't have multiple roots");
      const node = this.#inode(kind, mode, sizeAt) as Directory;
      this.#root = node;
      this.#parent = undefined;
      return;
    }
    const parent = path === undefined ? this.#parentOf(bytes, from, to, slash) : this.#textParent(path);
    const name = (
      path === undefined ? bytes.toString('latin1', slash + 1, to) : path.slice(path.lastIndexOf('/') + 1)
    ) as ByteString;
    if (name.length <= 2 && (name === '.' || name === '..')) {
      throw line.fail(`Invalid . or .. in path: ${path ?? bytes.toString('latin1', from, to)}`);
    }
    if (name === '' || name.length > MAX_NAME) throw line.fail("Can't add child");
    const node = isLink
      ? this.#link(kind, parent, name, path ?? bytes.toString('latin1', from, to))
      : this.#inode(kind, mode, sizeAt);
    const { entries } = parent;
    const before = entries.size;
    entries.set(name, node);
    if (entries.size === before) throw line.fail("Can't add child");
  }

  /** The directory that holds the entry whose path is plain bytes. */
  #parentOf(bytes: Buffer, from: number, to: number, slash: number): Directory {
    const length = slash + 1 - from;
    if (this.#parent !== undefined && length === this.#parentLength && this.#isParentPath(bytes, from)) {
      return this.#parent;
    }
    const parent = this.#findParent(bytes.toString('latin1', from, slash), () => bytes.toString('latin1', from, to));
    this.#parent = parent;
    this.#parentBytes = bytes;
    this.#parentFrom = from;
    this.#parentLength = length;
    return parent;
  }

  #isParentPath(bytes: Buffer, from: number): boolean {
    const old = this.#parentBytes;
    const oldFrom = this.#parentFrom;
    // The end differs most often.
    for (let i = this.#parentLength - 1; i >= 0; i--) {
      if (bytes[from + i] !== old[oldFrom + i]) return false;
    }
    return true;
  }

  #textParent(path: string): Directory {
    return this.#findParent(path.slice(0, Math.max(0, path.lastIndexOf('/'))), () => path);
  }

  #findParent(parentPath: string, path: () => string): Directory {
    const line = this.#line;
    if (this.#root === undefined) throw line.fail('Root node not present');
    const node = lookup(this.#root, parentPath);
    if (node === undefined) throw line.fail(`Parent directory missing for ${path()}`);
    if (node.kind !== 'directory') throw line.fail(`Parent must be a directory for ${path()}`);
    return node;
  }

  /** The inode that the rest of the line describes. */
  #inode(kind: InodeKind, mode: number, sizeAt: number): Inode {
    const line = this.#line;
    const afterMode = line.next;
    line.next = sizeAt;
    let size = line.unsigned();
    line.next = afterMode;
    const nlink = line.u32();
    const uid = line.u32();
    const gid = line.u32();
    const rdev = line.u32();
    const mtime = (this.#mtime = line.mtime(this.#mtime));

    line.take();
    const payload = line.isDash() ? undefined : (upToNul(line.unescaped()) as ByteString);
    line.take();
    let content: Uint8Array | undefined;
    if (!line.isDash()) {
      content = Buffer.from(line.unescaped(), 'latin1');
      if (content.length !== size) {
        throw line.fail(`Invalid content size ${content.length}, must match size ${size}`);
      }
      if (size > MAX_INLINE_SIZE) throw line.fail(`Inline content size ${size} exceeds maximum ${MAX_INLINE_SIZE}`);
    }
    if (kind === 'symlink') {
      if (payload === undefined || payload === '' || payload.length > MAX_PAYLOAD) throw line.fail('Invalid symlink');
      size = payload.length;
    } else if (payload !== undefined && payload.length > MAX_PAYLOAD) throw line.fail('Invalid payload');
    line.take();
    const digest = line.isDash() || kind !== 'file' ? undefined : this.#digest();
    const xattrs = line.next < line.end ? this.#xattrs.parse(line.rest(), line.fail) : NO_XATTRS;

    const stat = this.#statOf(mode & 0o7777, uid, gid, mtime, xattrs);
    switch (kind) {
      case 'directory':
        return directory(stat);
      case 'file':
        return content === undefined
          ? externalFile(stat, size, digest, payload === '' ? undefined : payload, nlink)
          : inlineFile(stat, content, nlink);
      case 'symlink':
        return symlink(stat, payload!, nlink);
      case 'chardev':
      case 'blockdev':
      case 'fifo':
      case 'socket':
      default:
        return special(kind, stat, rdev, nlink, size);
    }
  }

  #digest(): ObjectId {
    const text = this.#line.text();
    if (isObjectId(text, 'sha256') || isObjectId(text, 'sha512')) return text;
    const lower = text.toLowerCase();
    if (isObjectId(lower, 'sha256') || isObjectId(lower, 'sha512')) return lower;
    throw this.#line.fail(`Invalid digest ${text.slice(0, 130)}`);
  }

  /** A `Stat`, the previous line's when it is equal. */
  #statOf(mode: number, uid: number, gid: number, mtime: Mtime, xattrs: Stat['xattrs']): Stat {
    const last = this.#stat;
    if (
      last.mode === mode &&
      last.uid === uid &&
      last.gid === gid &&
      last.mtimeSec === mtime.sec &&
      last.mtimeNsec === mtime.nsec &&
      last.xattrs === xattrs
    ) {
      return last;
    }
    return (this.#stat = { mode, uid, gid, mtimeSec: mtime.sec, mtimeNsec: mtime.nsec, xattrs });
  }

  /** What a hard link's entry holds: the inode it leads to, or a placeholder until the whole dump is known. */
  #link(kind: InodeKind, parent: Directory, name: ByteString, path: string): Inode {
    const line = this.#line;
    if (kind === 'directory') throw line.fail("Directories can't be hardlinked");
    line.skip(5);
    line.take();
    if (line.isDash()) throw line.fail('No target path for the hardlink');
    const target = upToNul(line.unescaped());
    parent.links ??= new Set();
    parent.links.add(name);
    const node = lookup(this.#root!, target);
    if (node !== undefined && !this.#pending.has(node)) {
      if (node.kind === 'directory') throw line.fail(`Invalid hardlink ${path} to the directory ${target}`);
      return node;
    }
    const placeholder = special('fifo', NO_STAT);
    this.#pending.set(placeholder, { parent, name, target, line: line.number });
    return placeholder;
  }

  /** Replaces a placeholder, and those it leads through, by the inode at the end. */
  #resolve(root: Directory, first: Inode): void {
    const chain = new Set<Inode>();
    let node = first;
    for (let link = this.#pending.get(node); link !== undefined; link = this.#pending.get(node)) {
      const { line: at } = link;
      const fail = (problem: string): FormatError => new FormatError('composefs dump', `line ${at}`, problem);
      chain.add(node);
      const target = lookup(root, link.target);
      if (target === undefined) throw fail(`No target at ${link.target} for hardlink`);
      if (target === node) throw fail(`Self-referential hardlink ${link.target}`);
      if (chain.has(target)) throw fail('Too many levels of hard links');
      if (target.kind === 'directory') throw fail(`Invalid hardlink to the directory ${link.target}`);
      node = target;
    }
    for (const placeholder of chain) {
      const { parent, name } = this.#pending.get(placeholder)!;
      parent.entries.set(name, node);
      this.#pending.delete(placeholder);
    }
  }
}

/** The inode at a path; empty components are skipped. */
function lookup(root: Directory, path: string): Inode | undefined {
  let node: Inode = root;
  let depth = 0;
  for (let at = 0; at < path.length;) {
    const slash = path.indexOf('/', at);
    const end = slash < 0 ? path.length : slash;
    if (end > at) {
      if (node.kind !== 'directory') return undefined;
      const child: Inode | undefined = node.entries.get(path.slice(at, end) as ByteString);
      if (child === undefined) return undefined;
      if (++depth >= MAX_DEPTH) {
        throw new CfsError('LIMIT', `Cannot read the dump: a path is deeper than ${MAX_DEPTH} levels`);
      }
      node = child;
    }
    at = end + 1;
  }
  return node;
}
