/** Commits written by hand, in repositories of any mode, so that every part of them can be wrong. */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, symlinkSync, writeFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { encode } from '../../gvariant/src/encode.ts';
import { checksumBytes, checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeCommit, type Commit } from '../../ostree/commit.ts';
import { encodeDirMeta, type DirMeta } from '../../ostree/dirmeta.ts';
import { encodeArchiveHeader, encodeHashedHeader, isSymlinkMode, type FileHeader } from '../../ostree/file-header.ts';
import { setXattr } from '../../src/linux/xattr.ts';
import { Handmade } from '../ostree/local/handmade.ts';

export type Mode = 'archive-z2' | 'bare' | 'bare-user' | 'bare-user-only';

/** A name and a file's checksum; the last of two with the same name does not win: nothing is sorted or checked. */
export type FileEntry = readonly [name: string, file: OstreeChecksum];
export type DirectoryEntry = readonly [name: string, tree: OstreeChecksum, meta: OstreeChecksum];

const plainFile: FileHeader = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };

/** A repository that commits are written to; nothing is checked. */
export class HandmadeCommits extends Handmade {
  readonly mode: Mode;
  /** Root-owned, 0755. */
  readonly meta: OstreeChecksum;
  /** A dirtree without entries. */
  readonly empty: OstreeChecksum;

  constructor(mode: Mode = 'archive-z2') {
    super(mode);
    this.mode = mode;
    this.meta = this.dirMeta();
    this.empty = this.dirTree();
  }

  dirMeta(meta: Partial<DirMeta> = {}): OstreeChecksum {
    return this.raw('dirmeta', encodeDirMeta({ uid: 0, gid: 0, mode: 0o040755, xattrs: [], ...meta }));
  }

  dirTree(files: readonly FileEntry[] = [], directories: readonly DirectoryEntry[] = []): OstreeChecksum {
    const value = [
      files.map(([name, file]) => [name, checksumBytes(file)] as const),
      directories.map(([name, tree, meta]) => [name, checksumBytes(tree), checksumBytes(meta)] as const),
    ] as const;
    return this.raw('dirtree', encode('(a(say)a(sayay))', value));
  }

  /** Any bytes as a metadata object. */
  raw(type: 'commit' | 'dirtree' | 'dirmeta', bytes: Uint8Array): OstreeChecksum {
    const checksum = checksumOf(bytes);
    this.put(type, checksum, bytes);
    return checksum;
  }

  /** A file object. The stored part may be replaced: the deflate stream, or in bare modes the content. */
  file(
    content: Uint8Array,
    header: Partial<FileHeader> = {},
    lie: { readonly size?: number; readonly stored?: Uint8Array } = {},
  ): OstreeChecksum {
    const full = { ...plainFile, ...header };
    const checksum = createHash('sha256')
      .update(encodeHashedHeader(full))
      .update(content)
      .digest('hex') as OstreeChecksum;
    const path = this.pathOf('file', checksum);
    if (this.mode === 'archive-z2') {
      const symlink = isSymlinkMode(full.mode);
      const stored = lie.stored ?? (symlink ? new Uint8Array(0) : deflateRawSync(content));
      writeFileSync(path, Buffer.concat([encodeArchiveHeader(full, lie.size ?? content.length), stored]));
    } else this.#bareFile(path, full, lie.stored ?? content);
    return checksum;
  }

  symlink(symlinkTarget: string): OstreeChecksum {
    return this.file(new Uint8Array(0), { mode: 0o120777, symlinkTarget });
  }

  #bareFile(path: string, { uid, gid, mode, symlinkTarget, xattrs }: FileHeader, content: Uint8Array): void {
    const symlink = isSymlinkMode(mode);
    if (symlink && this.mode !== 'bare-user') {
      symlinkSync(symlinkTarget, path);
      return;
    }
    writeFileSync(path, symlink ? `${symlinkTarget}\0` : content);
    if (this.mode === 'bare-user') {
      const pairs = xattrs.map(({ name, value }) => [Buffer.from(`${name}\0`, 'latin1'), value] as const);
      setXattr(path, 'user.ostreemeta', encode('(uuua(ayay))', [uid, gid, mode, pairs], { byteOrder: 'big' }));
      return;
    }
    if (this.mode === 'bare') chownSync(path, uid, gid);
    chmodSync(path, mode & 0o7777);
    for (const { name, value } of xattrs) setXattr(path, name, value);
  }

  /** A commit of a tree. */
  commitOf(rootTree: OstreeChecksum, facts: Partial<Commit> = {}): OstreeChecksum {
    const commit: Commit = {
      metadata: [],
      parent: undefined,
      related: [],
      subject: 'by hand',
      body: '',
      timestamp: 0n,
      rootTree,
      rootMeta: this.meta,
      ...facts,
    };
    return this.raw('commit', encodeCommit(commit));
  }

  /** A commit of these files. */
  commitFiles(...files: readonly FileEntry[]): OstreeChecksum {
    return this.commitOf(this.dirTree(files.toSorted(([a], [b]) => (a < b ? -1 : 1))));
  }

  ref(name: string, commit: OstreeChecksum): void {
    this.write(`refs/heads/${name}`, `${commit}\n`);
  }
}
