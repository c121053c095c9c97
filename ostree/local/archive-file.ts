/** Opening `.filez` objects: a sized header, then a raw deflate stream. */
import { closeSync } from 'node:fs';
import { FormatError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { decodeSizedHeader, isSymlinkMode, sizedHeaderLength } from '../file-header.ts';
import { notRegular, readAt, type FileReader } from './file-reader.ts';
import { OpenFile } from './open-file.ts';

/** Opens the object at `path`; ENOENT as it is. A small file costs an open, a read and a close. */
export function openArchiveFile(reader: FileReader, path: string, checksum: OstreeChecksum): OpenFile {
  let fd;
  try {
    fd = reader.open(path);
  } catch (error) {
    if (hasCode(error, 'ELOOP')) throw notRegular(path);
    throw error;
  }
  let file: OpenFile | undefined;
  try {
    file = decode(reader, fd, path, checksum);
    return file;
  } finally {
    if (file?.content.kind !== 'file') closeSync(fd);
  }
}

function decode(reader: FileReader, fd: number, path: string, checksum: OstreeChecksum): OpenFile {
  const { buffer } = reader;
  const read = reader.fill(fd, path);
  const first = buffer.subarray(0, read);
  // A read that came back short met the end of the file; nothing at all may also be a FIFO.
  const total = read === buffer.length || read === 0 ? reader.stat(fd, path).size : read;
  const length = sizedHeaderLength(first, total, checksum);
  let start = first;
  if (length > read) {
    start = Buffer.allocUnsafeSlow(length);
    readAt(fd, path, start, 0, length);
  }
  const { header, size, hashedHeader } = decodeSizedHeader(start, checksum, total);
  if (isSymlinkMode(header.mode)) {
    if (total > length) throw new FormatError(`file ${checksum}`, 'content', 'a symlink has content', length);
    return new OpenFile(header, 0, hashedHeader, { kind: 'none' });
  }
  return new OpenFile(header, size, hashedHeader, {
    kind: 'file',
    fd,
    offset: length,
    storedSize: total - length,
    deflated: true,
    head: first.subarray(Math.min(length, read)),
    complete: total === Math.max(length, read),
  });
}
