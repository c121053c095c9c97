/**
 * Writing file objects in the form of each mode (the table in bare-file.ts), one thread's part: into a staging folder, under the names
 * that they will have. What is there is complete and has its checksum only when `write` returns.
 *
 * Owners are set before extended attributes, since a change of owner takes `security.capability` away, and the mode comes last, since
 * it may forbid setting attributes.
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { hasCode, UnsupportedError } from '../../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from '../checksum.ts';
import { encodeOstreeMeta } from '../dirmeta.ts';
import { isSymlinkMode, toArchiveHeader, type FileHeader } from '../file-header.ts';
import { PERMISSION_BITS } from '../mode.ts';
import { encodeXattrs } from '../xattrs.ts';
import { OSTREE_META, USER_ONLY_BITS } from './bare-file.ts';
import type { RepositoryMode } from './config.ts';
import { isPresent, stagedName, type ObjectsFolder } from './staged-name.ts';
import { ContentPieces, type NewFile } from './write-content.ts';
import type { Deflater, FileServices } from './write-services.ts';

/** Plain data, so that it can be handed to a thread. */
export interface FileWriterOptions {
  readonly mode: RepositoryMode;
  /** Of archives: 1 to 9. */
  readonly zlibLevel: number;
  /** The folder for new objects, which several writers may share. */
  readonly staging: string;
  /** Where objects may be already: of this repository, and of its parents. */
  readonly existing: readonly ObjectsFolder[];
}

export type HowWritten = 'written' | 'reflinked' | 'present';

const FILE_MODE = 0o644;

export class FileWriter {
  readonly #options: FileWriterOptions;
  readonly #services: FileServices;
  readonly #pieces = new ContentPieces();
  #deflater: Deflater | undefined;
  /** False once the file system has refused to share blocks. */
  #canReflink = true;

  constructor(options: FileWriterOptions, services: FileServices) {
    this.#options = options;
    this.#services = services;
  }

  /**
   * Writes the object unless the repository has it.
   * @throws ChecksumError, CfsError CORRUPT for content that is not the object's; UnsupportedError for what the mode cannot hold.
   */
  write(file: NewFile): HowWritten {
    const { mode, existing } = this.#options;
    if (isPresent(existing, 'file', file.checksum)) return 'present';
    if (mode === 'archive') return this.#writeArchive(file);
    if (mode === 'bare') checkBare(file);
    if (mode === 'bare-user-only') checkUserOnly(file);
    if (mode === 'bare-split-xattrs') this.#writeXattrs(file);
    return isSymlinkMode(file.header.mode) ? this.#writeSymlink(file) : this.#writeBare(file);
  }

  #path(checksum: OstreeChecksum): string {
    return `${this.#options.staging}/${stagedName('file', checksum, this.#options.mode === 'archive')}`;
  }

  #writeArchive(file: NewFile): 'written' {
    const fd = openSync(this.#path(file.checksum), 'w', FILE_MODE);
    try {
      writeFully(fd, toArchiveHeader(file.hashedHeader, file.size));
      if (isSymlinkMode(file.header.mode)) {
        this.#pieces.pass(file, () => undefined);
      } else {
        const deflater = (this.#deflater ??= this.#services.deflater(this.#options.zlibLevel));
        const emit = (output: Uint8Array): void => writeFully(fd, output);
        deflater.reset();
        this.#pieces.pass(file, (piece, last) => deflater.push(piece, last, emit));
      }
      fchmodSync(fd, FILE_MODE);
    } finally {
      closeSync(fd);
    }
    return 'written';
  }

  #writeBare(file: NewFile): 'written' | 'reflinked' {
    const fd = openSync(this.#path(file.checksum), 'w', 0o600);
    try {
      const cloned = typeof file.content === 'number' && file.size > 0 && this.#reflink(fd, file.content);
      this.#pieces.pass(file, (piece) => {
        if (!cloned) writeFully(fd, piece);
      });
      this.#describe(fd, file.header);
      return cloned ? 'reflinked' : 'written';
    } finally {
      closeSync(fd);
    }
  }

  #reflink(to: number, from: number): boolean {
    this.#canReflink &&= this.#services.reflink(to, from);
    return this.#canReflink;
  }

  #writeSymlink(file: NewFile): 'written' {
    const { header } = file;
    const path = this.#path(file.checksum);
    this.#pieces.pass(file, () => undefined);
    if (this.#options.mode === 'bare-user') {
      const fd = openSync(path, 'w', 0o600);
      try {
        writeFully(fd, Buffer.from(`${header.symlinkTarget}\0`));
        this.#describe(fd, header);
      } finally {
        closeSync(fd);
      }
      return 'written';
    }
    symlinkSync(header.symlinkTarget, path);
    if (this.#options.mode === 'bare-user-only') return 'written';
    lchownSync(path, header.uid, header.gid);
    if (this.#options.mode === 'bare') this.#setXattrs(path, header);
    lutimesSync(path, 0, 0);
    return 'written';
  }

  /** Owner, extended attributes, mode and time of a regular file. */
  #describe(fd: number, header: FileHeader): void {
    const { mode } = this.#options;
    const permissions = header.mode & PERMISSION_BITS;
    if (mode === 'bare-user') {
      this.#services.setXattr(fd, OSTREE_META, encodeOstreeMeta(header));
      fchmodSync(fd, isSymlinkMode(header.mode) ? FILE_MODE : (permissions & USER_ONLY_BITS) | 0o400);
    } else {
      if (mode !== 'bare-user-only') fchownSync(fd, header.uid, header.gid);
      if (mode === 'bare') this.#setXattrs(fd, header);
      fchmodSync(fd, permissions);
    }
    futimesSync(fd, 0, 0);
  }

  #setXattrs(target: string | number, { xattrs }: FileHeader): void {
    for (const { name, value } of xattrs) this.#services.setXattr(target, name, value);
  }

  /** The attributes as an object of their own, and the file's link to it. */
  #writeXattrs({ checksum, header }: NewFile): void {
    const { staging, existing } = this.#options;
    const bytes = encodeXattrs(header.xattrs);
    const set = checksumOf(bytes);
    const own = `${staging}/${stagedName('file-xattrs', set, false)}`;
    const link = `${staging}/${stagedName('file-xattrs-link', checksum, false)}`;
    if (isPresent(existing, 'file-xattrs', set)) {
      writeFileSync(link, bytes, { mode: FILE_MODE });
      return;
    }
    try {
      writeFileSync(own, bytes, { mode: FILE_MODE, flag: 'wx' });
    } catch (error) {
      // Another thread is writing the same.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    try {
      linkSync(own, link);
    } catch (error) {
      if (!hasCode(error, 'EMLINK', 'EPERM')) throw error;
      writeFileSync(link, bytes, { mode: FILE_MODE });
    }
  }
}

/** `ostree` does not see attributes without a value in the file system. */
function checkBare({ checksum, header }: NewFile): void {
  const empty = header.xattrs.find(({ value }) => value.length === 0);
  if (empty === undefined) return;
  throw new UnsupportedError(
    `File object ${checksum} has the extended attribute ${empty.name} without a value, which would not be found in a bare repository; use bare-user or archive`,
    { object: checksum },
  );
}

/** A bare-user-only repository keeps no owners and attributes, so what has any would come out as another object. */
function checkUserOnly({ checksum, header }: NewFile): void {
  const { uid, gid, mode, xattrs } = header;
  const bits = isSymlinkMode(mode) ? 0 : mode & PERMISSION_BITS & ~USER_ONLY_BITS;
  const problem =
    uid !== 0 || gid !== 0
      ? `belongs to ${uid}:${gid}`
      : xattrs.length > 0
        ? `has the extended attribute ${xattrs[0]!.name}`
        : bits !== 0
          ? `has mode 0${(mode & PERMISSION_BITS).toString(8)}`
          : undefined;
  if (problem === undefined) return;
  throw new UnsupportedError(
    `File object ${checksum} ${problem}, which a bare-user-only repository cannot hold; use bare-user or archive`,
    { object: checksum },
  );
}

function writeFully(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
}
