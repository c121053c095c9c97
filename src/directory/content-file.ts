/**
 * What becomes of a file's content: its fs-verity digest and, where objects are wanted, the object of that name.
 *
 * A file may change while it is read. Its size, and its time of change before and after, tell, so that an object has the digest
 * that it is named by. Where the time of change is too young to tell, the object itself is hashed once more.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { statOpen, type FileStat } from '../linux/at.ts';
import { syncfs } from '../linux/files.ts';
import { tryReflink } from '../linux/ioctl.ts';
import { measureFile } from '../repository/measure.ts';
import { ObjectWriter, type ObjectWriterOptions } from '../repository/object-writer.ts';
import { VerityHasher } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import type { ContentRing, StoreOutcome } from './content-ring.ts';

const PIECE_SIZE = 256 * 1024;

/** Milliseconds within which a file may be changed twice at the same time of change, as the coarsest clocks of kernels go. */
const RACY = 100;

/** What is to be done with contents; plain data, so that it can be handed to a worker. */
export interface ContentTask {
  readonly algorithm: HashAlgorithm;
  /** Where objects are stored; nothing is, when absent. */
  readonly writer: ObjectWriterOptions | undefined;
  /**
   * So many objects are written out to the disk together before they get their names. 0: they get their names at once, and
   * the caller sees to it.
   */
  readonly batch: number;
}

/** Lets the event loop run, if it is time. */
export type Breathe = () => Promise<void> | undefined;

interface Unnamed {
  readonly fd: number;
  readonly id: ObjectId;
  readonly size: number;
  readonly outcome: StoreOutcome;
}

/** One thread's work on contents. */
export class ContentFiles implements Disposable {
  readonly #task: ContentTask;
  readonly #ring: ContentRing;
  readonly #hasher: VerityHasher;
  readonly #writer: ObjectWriter | undefined;
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_SIZE);
  #unnamed: Unnamed[] = [];
  /** False once the file system has refused to share blocks. */
  #canReflink = true;

  constructor(task: ContentTask, ring: ContentRing) {
    this.#task = task;
    this.#ring = ring;
    this.#hasher = new VerityHasher(task.algorithm);
    this.#writer = task.writer === undefined ? undefined : new ObjectWriter(task.writer);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#unnamed) this.#writer?.abort(fd);
    this.#writer?.close();
  }

  /**
   * Works on an open file of more than 0 bytes, and closes it.
   * @throws CfsError CORRUPT when it changes meanwhile, CANCELLED when the ring is stopped.
   */
  async process(fd: number, size: number, breathe?: Breathe): Promise<ObjectId> {
    try {
      const before = statOpen(fd);
      if (before.size !== size) throw changed(`it had ${size} bytes, and now has ${before.size}`);
      const id = await this.#hash(fd, size, breathe);
      if (this.#writer === undefined) verifyUnchanged(fd, before);
      else await this.#storing(this.#store(this.#writer, fd, id, before, breathe));
      this.#ring.addBytes(size);
      return id;
    } finally {
      closeSync(fd);
    }
  }

  /** Errors of the system, while an object is written, as such of the store. */
  async #storing(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (error instanceof CfsError) throw error;
      const code = hasCode(error, 'ENOSPC', 'EDQUOT') ? 'NO_SPACE' : 'SYSTEM';
      const store = this.#task.writer?.objects;
      throw new CfsError(code, `cannot store its content: ${(error as Error).message}`, { store }, error);
    }
  }

  async #hash(fd: number, size: number, breathe: Breathe | undefined): Promise<ObjectId> {
    this.#hasher.reset();
    for (let offset = 0; offset < size;) {
      const length = this.#read(fd, offset, size);
      this.#hasher.update(length === PIECE_SIZE ? this.#piece : this.#piece.subarray(0, length));
      offset += length;
      if (offset < size) await this.#pause(breathe);
    }
    return this.#hasher.digest();
  }

  /** Reads a whole piece, but at the end. */
  #read(fd: number, offset: number, size: number): number {
    const wanted = Math.min(PIECE_SIZE, size - offset);
    let used = 0;
    while (used < wanted) {
      const length = readSync(fd, this.#piece, used, wanted - used, offset + used);
      if (length === 0) throw changed(`it had ${size} bytes, and ends after ${offset + used}`);
      used += length;
    }
    return used;
  }

  async #pause(breathe: Breathe | undefined): Promise<void> {
    if (this.#ring.stopped) throw new CfsError('CANCELLED', 'Reading the directory was stopped');
    await breathe?.();
  }

  /** Stores content that was just hashed; that of one piece is still in memory. */
  async #store(writer: ObjectWriter, fd: number, id: ObjectId, before: FileStat, breathe?: Breathe): Promise<void> {
    const { size } = before;
    if (writer.has(id, size)) {
      verifyUnchanged(fd, before);
      this.#ring.count('present');
      return;
    }
    const racy = Date.now() - (before.ctimeSec * 1000 + before.ctimeNsec / 1e6) < RACY;
    const object = writer.begin();
    let outcome: StoreOutcome = 'stored';
    try {
      this.#canReflink &&= tryReflink(object, fd);
      if (this.#canReflink) outcome = 'reflinked';
      else await this.#copy(object, fd, size, breathe);
      verifyUnchanged(fd, before);
      const isCertain = !racy || (outcome === 'stored' && size <= PIECE_SIZE);
      if (!isCertain && measureFile(object, this.#task.algorithm) !== id) throw changed('its content is another one');
    } catch (error) {
      writer.abort(object);
      throw error;
    }
    if (this.#task.batch === 0) this.#name(writer, { fd: object, id, size, outcome });
    else {
      this.#unnamed.push({ fd: object, id, size, outcome });
      if (this.#unnamed.length >= this.#task.batch) this.flush();
    }
  }

  async #copy(object: number, fd: number, size: number, breathe: Breathe | undefined): Promise<void> {
    for (let offset = 0; offset < size;) {
      const length = size <= PIECE_SIZE ? size : this.#read(fd, offset, size);
      for (let at = 0; at < length;) at += writeSync(object, this.#piece, at, length - at);
      offset += length;
      if (offset < size) await this.#pause(breathe);
    }
  }

  #name(writer: ObjectWriter, { fd, id, size, outcome }: Unnamed): void {
    this.#ring.count(writer.commit(fd, id, size) === 'present' ? 'present' : outcome);
  }

  /** Gives all objects their names, once they are on the disk. */
  flush(): void {
    const [first] = this.#unnamed;
    if (this.#writer === undefined || first === undefined) return;
    syncfs(first.fd);
    while (this.#unnamed.length > 0) this.#name(this.#writer, this.#unnamed.pop()!);
  }
}

function verifyUnchanged(fd: number, before: FileStat): void {
  const after = statOpen(fd);
  const same = after.size === before.size && after.ctimeSec === before.ctimeSec && after.ctimeNsec === before.ctimeNsec;
  if (!same) throw changed('its time of change tells');
}

function changed(how: string): CfsError {
  return new CfsError('CORRUPT', `It changed while it was read (${how}); try again when nobody writes to it`);
}
