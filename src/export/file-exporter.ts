/** Files of stored commits on their way into an OSTree repository: what one thread does. */
import { closeSync } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import { FileWriter, type FileWriterOptions, type HowWritten } from '../../ostree/local/write-file.ts';
import type { FileServices } from '../../ostree/local/write-services.ts';
import type { StoredObject } from '../commit/content.ts';
import { tryReflink } from '../linux/ioctl.ts';
import { setXattr } from '../linux/xattr.ts';
import { openObject, type ObjectStore } from '../repository/objects.ts';
import { ZlibDeflater } from './deflate.ts';

/** A file as a commit stream holds it. */
export type ExportedFile = StoredObject & { readonly checksum: OstreeChecksum };

/** What became of how many files, and bytes of content of those that were written. */
export interface ExportCounts {
  readonly written: number;
  readonly reflinked: number;
  readonly present: number;
  readonly bytes: number;
}

const services: FileServices = { setXattr, reflink: tryReflink, deflater: (level) => new ZlibDeflater(level) };

export class FileExporter {
  readonly #store: ObjectStore;
  readonly #writer: FileWriter;

  /** Both are plain data. */
  constructor(store: ObjectStore, options: FileWriterOptions) {
    this.#store = store;
    this.#writer = new FileWriter(options, services);
  }

  /** @throws ChecksumError, FormatError; NotFoundError for a missing object; what the file system says, with the object's checksum. */
  export(files: readonly ExportedFile[]): ExportCounts {
    const counts: Record<HowWritten | 'bytes', number> = { written: 0, reflinked: 0, present: 0, bytes: 0 };
    for (const file of files) {
      const { how, size } = this.#one(file);
      counts[how]++;
      if (how !== 'present') counts.bytes += size;
    }
    return counts;
  }

  #one({ checksum, data, object }: ExportedFile): { how: HowWritten; size: number } {
    const { header, hashedHeader, size, length } = decodeSizedHeader(data, checksum);
    const inline = data.subarray(length);
    const content = object === undefined ? inline : openObject(this.#store, object);
    try {
      return { how: this.#writer.write({ checksum, header, hashedHeader, size, content }), size };
    } catch (error) {
      if (error instanceof CfsError || !hasCode(error, 'EPERM', 'ENOTSUP', 'ERANGE', 'EINVAL', 'ENOSPC', 'E2BIG'))
        throw error;
      throw explain(error as NodeJS.ErrnoException, checksum);
    } finally {
      if (typeof content === 'number') closeSync(content);
    }
  }
}

function explain(error: NodeJS.ErrnoException, checksum: OstreeChecksum): Error {
  if (error.code === 'ENOSPC') return error;
  const hint =
    error.code === 'EPERM' ? '; owners and attributes need root, or a repository of mode bare-user or archive' : '';
  return new CfsError(
    'SYSTEM',
    `Cannot write file object ${checksum}: ${error.message}${hint}`,
    { object: checksum },
    error,
  );
}
