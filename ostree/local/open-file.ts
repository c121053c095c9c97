/** A file object: a header, and a descriptor to read from. */
import { closeSync } from 'node:fs';
import { encodeHashedHeader, type FileHeader } from '../file-header.ts';
import type { FileContent, FileObject } from '../source.ts';

export class OpenFile implements FileObject {
  readonly header: FileHeader;
  readonly size: number;
  readonly hashedHeader: Uint8Array;
  readonly content: FileContent;
  again: FileObject['again'];
  #open: boolean;

  constructor(header: FileHeader, size: number, hashedHeader: Uint8Array, content: FileContent) {
    this.header = header;
    this.size = size;
    this.hashedHeader = hashedHeader;
    this.content = content;
    this.#open = content.kind === 'file' && content.fd !== -1;
  }

  /** A symlink; `FormatError` if the header cannot be encoded. */
  static symlink(header: FileHeader): OpenFile {
    return new OpenFile(header, 0, encodeHashedHeader(header), { kind: 'none' });
  }

  close(): void {
    if (!this.#open || this.content.kind !== 'file') return;
    this.#open = false;
    closeSync(this.content.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
