/**
 * Opening `.file` objects of the bare modes: the content as it is, everything else beside it.
 *
 * | mode                | owner and mode                   | xattrs                          | symlink                               |
 * |---------------------|----------------------------------|---------------------------------|---------------------------------------|
 * | `bare`              | of the inode                     | all of the inode's              | a symlink                             |
 * | `bare-user`         | `user.ostreemeta`                | `user.ostreemeta`               | a regular file: the target and a NUL  |
 * | `bare-user-only`    | 0:0 and the mode of the inode    | none                            | a symlink                             |
 * | `bare-split-xattrs` | of the inode                     | `.file-xattrs-link` beside it   | a symlink                             |
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { CfsError, FormatError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { decodeOstreeMeta } from '../dirmeta.ts';
import { encodeHashedHeader, isSymlinkMode, type FileHeader } from '../file-header.ts';
import { PERMISSION_BITS, S_IFMT } from '../mode.ts';
import { MAX_METADATA_SIZE } from '../object-type.ts';
import { decodeXattrs, sortXattrs, type Xattr } from '../xattrs.ts';
import type { RepositoryMode } from './config.ts';
import { notRegular, type FileReader } from './file-reader.ts';
import { OpenFile } from './open-file.ts';
import type { XattrReader } from './xattr-reader.ts';

/** What the files of one bare repository are read with. */
export interface BareFiles {
  readonly mode: Exclude<RepositoryMode, 'archive'>;
  readonly reader: FileReader;
  /** Undefined where the mode, or the configuration, needs none. */
  readonly xattrs: XattrReader | undefined;
}

/** The attribute that holds what a bare-user repository knows of a file. */
export const OSTREE_META = 'user.ostreemeta';
/** The permission bits that a bare-user-only repository may hold. */
export const USER_ONLY_BITS = 0o775;
/** Linux PATH_MAX: no symlink target with its NUL is longer. */
const PATH_MAX = 4096;

/** Opens the object at `path`; ENOENT as it is. */
export function openBareFile(files: BareFiles, path: string, checksum: OstreeChecksum): OpenFile {
  let fd;
  try {
    fd = files.reader.open(path);
  } catch (error) {
    if (!hasCode(error, 'ELOOP')) throw error;
    if (files.mode === 'bare-user') throw notRegular(path);
    return openSymlink(files, path, checksum);
  }
  let file: OpenFile | undefined;
  try {
    file = openRegular(files, fd, path, checksum);
    return file;
  } finally {
    if (file?.content.kind !== 'file') closeSync(fd);
  }
}

function openRegular(files: BareFiles, fd: number, path: string, checksum: OstreeChecksum): OpenFile {
  const { reader } = files;
  const stats = reader.stat(fd, path);
  const header = headerOf(files, stats, fd, path, checksum);
  if (isSymlinkMode(header.mode)) return OpenFile.symlink(withTarget(header, readTarget(reader, fd, path), checksum));
  const head = reader.buffer.subarray(0, reader.fill(fd, path, Math.min(stats.size, reader.buffer.length)));
  return new OpenFile(header, stats.size, encodeHashedHeader(header), {
    kind: 'file',
    fd,
    offset: 0,
    storedSize: stats.size,
    deflated: false,
    head,
    complete: head.length === stats.size,
    changed: stats.ctimeMs,
  });
}

function openSymlink(files: BareFiles, path: string, checksum: OstreeChecksum): OpenFile {
  const stats = lstatSync(path);
  if (!stats.isSymbolicLink()) throw notRegular(path);
  const header = headerOf(files, stats, path, path, checksum);
  return OpenFile.symlink(withTarget(header, readlinkSync(path, { encoding: 'buffer' }), checksum));
}

/** A bare-user symlink's target: up to the first NUL, or all. */
function readTarget(reader: FileReader, fd: number, path: string): Buffer {
  const target = reader.buffer.subarray(0, reader.fill(fd, path, PATH_MAX + 1));
  const nul = target.indexOf(0);
  return nul === -1 ? target : target.subarray(0, nul);
}

function withTarget(header: FileHeader, target: Buffer, checksum: OstreeChecksum): FileHeader {
  const format = `file ${checksum}`;
  if (!isUtf8(target)) throw new FormatError(format, 'symlinkTarget', 'not UTF-8');
  if (target.length === 0) throw new FormatError(format, 'symlinkTarget', 'empty');
  return { ...header, symlinkTarget: target.toString('utf8') };
}

/** The header without a symlink's target; `target` is what xattrs are read from. */
function headerOf(
  files: BareFiles,
  stats: Stats,
  target: string | number,
  path: string,
  checksum: OstreeChecksum,
): FileHeader {
  const { uid, gid, mode } = stats;
  switch (files.mode) {
    case 'bare':
      return { uid, gid, mode, symlinkTarget: '', xattrs: inodeXattrs(files.xattrs, target, checksum) };
    case 'bare-user': {
      const meta = files.xattrs?.getXattr(target, OSTREE_META);
      if (meta === undefined) {
        throw new CfsError('CORRUPT', `${path} has no extended attribute ${OSTREE_META}`, { path, checksum });
      }
      return { ...decodeOstreeMeta(meta, `${OSTREE_META} of ${checksum}`), symlinkTarget: '' };
    }
    case 'bare-user-only':
      checkUserOnlyMode(mode, checksum);
      return { uid: 0, gid: 0, mode, symlinkTarget: '', xattrs: [] };
    default:
      return { uid, gid, mode, symlinkTarget: '', xattrs: linkedXattrs(files.reader, path, checksum) };
  }
}

function checkUserOnlyMode(mode: number, checksum: OstreeChecksum): void {
  const extra = mode & PERMISSION_BITS & ~USER_ONLY_BITS;
  // A symlink's bits mean nothing and are always 0777.
  if (extra === 0 || isSymlinkMode(mode)) return;
  const bits = `invalid mode 0${(mode & ~S_IFMT).toString(8).padStart(4, '0')} with bits 0${extra.toString(8).padStart(4, '0')}`;
  throw new CfsError('CORRUPT', `Content object ${checksum}: ${bits}`, { checksum, mode });
}

/** All of the inode's, but for the attribute that belongs to another mode. */
function inodeXattrs(
  xattrs: XattrReader | undefined,
  target: string | number,
  checksum: OstreeChecksum,
): readonly Xattr[] {
  const found: Xattr[] = [];
  for (const name of xattrs?.listXattrs(target) ?? []) {
    const value = name === OSTREE_META ? undefined : xattrs?.getXattr(target, name);
    if (value !== undefined) found.push({ name, value });
  }
  return sortXattrs(found, `file ${checksum}`);
}

function linkedXattrs(reader: FileReader, path: string, checksum: OstreeChecksum): readonly Xattr[] {
  const link = `${path}-xattrs-link`;
  const bytes = reader.readWhole(link, MAX_METADATA_SIZE);
  if (bytes === undefined) throw new CfsError('CORRUPT', `${link} does not exist`, { path: link, checksum });
  return decodeXattrs(bytes, 0, bytes.length, `file-xattrs of ${checksum}`, 'any');
}
