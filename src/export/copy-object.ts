/**
 * Objects of one composefs repository on their way into another, each by the cheapest way there is: shared blocks (a reflink), a hard link,
 * a copy made by the kernel, a copy. What arrives is verified, except where the kernel does it.
 *
 * A hard link makes both repositories share the file, so it is only made between repositories of one file system, of the same hash, and
 * of which the kernel protects the objects alike.
 */
import { closeSync, fstatSync, linkSync, mkdirSync, readSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ChecksumError, CfsError, hasCode } from '../../bytes/errors.ts';
import { tryCopyRange } from '../linux/copy-range.ts';
import { tryReflink } from '../linux/ioctl.ts';
import { measureFile } from '../repository/measure.ts';
import type { ObjectWriter } from '../repository/object-writer.ts';
import { objectFile, openObject, type ObjectStore } from '../repository/objects.ts';
import type { ObjectId } from '../verity/object-id.ts';

export type CopyWay = 'reflinked' | 'hardlinked' | 'copied in kernel' | 'copied' | 'present';

const PIECE_SIZE = 1024 * 1024;
const CANNOT_LINK = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EACCES'];

export class ObjectCopier {
  readonly #from: ObjectStore;
  readonly #to: ObjectStore;
  readonly #writer: ObjectWriter;
  #canReflink = true;
  #canLink: boolean;
  #canCopyRange = true;
  #buffer: Buffer | undefined;

  constructor(from: ObjectStore, to: ObjectStore, writer: ObjectWriter) {
    this.#from = from;
    this.#to = to;
    this.#writer = writer;
    this.#canLink =
      from.algorithm === to.algorithm && from.secure === to.secure && statSync(from.path).dev === statSync(to.path).dev;
  }

  /**
   * @param size that the object must have; any if undefined.
   * @returns its id in the other repository.
   * @throws NotFoundError; ChecksumError or CfsError CORRUPT for a damaged object, which is not stored.
   */
  copy(id: ObjectId, size?: number): { readonly id: ObjectId; readonly how: CopyWay; readonly size: number } {
    const source = openObject(this.#from, id);
    try {
      const actual = fstatSync(source).size;
      if (size !== undefined && actual !== size) {
        throw new CfsError('CORRUPT', `Object ${id} in ${this.#from.path} has ${actual} bytes, not ${size}`, { id });
      }
      const same = this.#from.algorithm === this.#to.algorithm;
      if (same && this.#writer.has(id, actual)) return { id, how: 'present', size: actual };
      return { ...this.#transfer(source, id, actual, same), size: actual };
    } finally {
      closeSync(source);
    }
  }

  #transfer(source: number, id: ObjectId, size: number, same: boolean): { id: ObjectId; how: CopyWay } {
    const fd = this.#writer.begin();
    let target = id;
    let how: CopyWay | undefined;
    try {
      if (this.#canReflink && (this.#canReflink = tryReflink(fd, source))) {
        how = 'reflinked';
      } else if (this.#canLink && this.#link(source, id)) {
        this.#writer.abort(fd);
        return { id, how: 'hardlinked' };
      } else {
        how = this.#copy(fd, source, size);
      }
      // A secure repository has its kernel measure what is stored, and had it measure what was read.
      if (!this.#from.secure) verify(fd, this.#from, id);
      if (!same) target = measureFile(fd, this.#to.algorithm);
    } catch (error) {
      this.#writer.abort(fd);
      throw error;
    }
    return { id: target, how: this.#writer.commit(fd, target, size) === 'present' ? 'present' : how };
  }

  #link(source: number, id: ObjectId): boolean {
    if (!this.#from.secure) verify(source, this.#from, id);
    const path = objectFile(this.#to, id);
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      linkSync(objectFile(this.#from, id), path);
      return true;
    } catch (error) {
      // What is there and not trusted is replaced by a copy.
      if (hasCode(error, 'EEXIST')) return false;
      if (!hasCode(error, ...CANNOT_LINK)) throw error;
      if (!hasCode(error, 'EMLINK')) this.#canLink = false;
      return false;
    }
  }

  #copy(to: number, from: number, size: number): 'copied' | 'copied in kernel' {
    if (this.#canCopyRange && (this.#canCopyRange = tryCopyRange(to, from, size))) return 'copied in kernel';
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(PIECE_SIZE));
    for (let position = 0; position < size;) {
      const length = readSync(from, buffer, 0, PIECE_SIZE, position);
      if (length === 0) break;
      for (let done = 0; done < length;) done += writeSync(to, buffer, done, length - done, position + done);
      position += length;
    }
    return 'copied';
  }
}

function verify(fd: number, { algorithm }: ObjectStore, id: ObjectId): void {
  const actual = measureFile(fd, algorithm);
  if (actual !== id) throw new ChecksumError(`object ${id}`, id, actual);
}
