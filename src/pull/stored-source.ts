/** Files that a composefs repository holds, as a source of content: each object is read like a file of a bare repository. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { CfsError, NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import { OpenFile } from '../../ostree/local/open-file.ts';
import type { FileObject } from '../../ostree/source.ts';
import type { StoredObject } from '../commit/content.ts';
import { objectPath } from '../verity/object-id.ts';

/** Plain data, for worker threads. */
export interface StoredSourceDescription {
  readonly kind: 'stored';
  /** The `objects` directory. */
  readonly objects: string;
  readonly files: ReadonlyMap<OstreeChecksum, StoredObject>;
}

export class StoredSource {
  readonly concurrency = 1;
  readonly #description: StoredSourceDescription;

  constructor(description: StoredSourceDescription) {
    this.#description = description;
  }

  /** Nothing of it is verified. @throws NotFoundError, FormatError, I/O errors; CfsError CORRUPT for an object of another size. */
  openFile(checksum: OstreeChecksum): FileObject {
    const { files, objects } = this.#description;
    const stored = files.get(checksum);
    if (stored === undefined) throw new NotFoundError(`No file object ${checksum} in ${objects}`, { checksum });
    const { header, size, length, hashedHeader } = decodeSizedHeader(stored.data, checksum);
    if (stored.object === undefined) {
      const head = stored.data.subarray(length);
      const inline = { fd: -1, offset: 0, storedSize: head.length, deflated: false, head, complete: true };
      return new OpenFile(header, size, hashedHeader, size === 0 ? { kind: 'none' } : { kind: 'file', ...inline });
    }
    const path = `${objects}/${objectPath(stored.object)}`;
    const fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size !== size) {
      closeSync(fd);
      throw new CfsError('CORRUPT', `Object ${path} has ${stat.size} bytes, not ${size}`, { checksum, path });
    }
    return new OpenFile(header, size, hashedHeader, {
      kind: 'file',
      fd,
      offset: 0,
      storedSize: size,
      deflated: false,
      head: new Uint8Array(0),
      complete: false,
      changed: stat.ctimeMs,
      mayLink: true,
    });
  }

  describe(): StoredSourceDescription {
    return this.#description;
  }

  /** Nothing is held open between calls. */
  [Symbol.dispose](): void {}
}
