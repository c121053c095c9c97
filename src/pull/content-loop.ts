/** What each content thread does: take a file, open it at the source, ingest it, until none is left. */
import { fstatSync, openSync, readSync } from 'node:fs';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { FileContent, FileObject } from '../../ostree/source.ts';
import { tryReflink } from '../linux/ioctl.ts';
import { ObjectWriter } from '../repository/object-writer.ts';
import { ContentCounters, ResultCollector, type ContentJob, type ResultBatch } from './content-job.ts';
import { runLanes } from './lanes.ts';
import { FileIngest, type IngestedFile } from './file-ingest.ts';
import { isUnusable, type ContentSource } from './source.ts';
import { takeSpace, type SpaceBudget } from './space.ts';
import type { Breathe } from '../threads.ts';

type StoredContent = Extract<FileContent, { kind: 'file' }>;

const READ_SIZE = 256 * 1024;

/** A deflate stream cannot give more bytes for each of its own. */
const MAX_DEFLATE_RATIO = 1032;

/** Milliseconds after which results of a source that waits are handed on, so that little is lost with the process. */
const FLUSH_INTERVAL = 25;

interface LoopOptions {
  /** For a source that waits: how many files are opened at the same time. */
  readonly lanes?: number | undefined;
  /** Awaited between files and pieces of large ones, for a thread that has other things to do. */
  readonly breathe?: Breathe;
}

/**
 * Works on the job until no file is left, or it is stopped.
 * @throws the first error of a file; the job is stopped then.
 */
export async function runContentLoop(
  job: ContentJob,
  source: ContentSource,
  emit: (batch: ResultBatch) => void,
  { lanes, breathe }: LoopOptions = {},
): Promise<void> {
  const counters = new ContentCounters(job);
  const results = new ResultCollector(emit);
  try {
    using writer = new ObjectWriter(job.writer);
    const local = new LocalIngest(job, writer, counters, breathe);
    if (lanes !== undefined) {
      const timer = setInterval(() => results.flush(), FLUSH_INTERVAL);
      try {
        await runLanes(
          lanes,
          counters,
          source,
          async ({ index, checksum }, file) => results.add(index, await local.ingest(checksum, file)),
          (error) => job.tolerant && isUnusable(error),
        );
      } finally {
        clearInterval(timer);
      }
    } else {
      for (let next = counters.next(); next !== undefined; next = counters.next()) {
        try {
          const opened = source.openFile(next.checksum);
          const file = opened instanceof Promise ? await opened : opened;
          results.add(next.index, await local.ingest(next.checksum, file));
        } catch (error) {
          if (!job.tolerant || !isUnusable(error)) throw error;
        }
        await breathe?.();
      }
    }
  } catch (error) {
    counters.stop();
    throw error;
  } finally {
    // Also what was finished before an error: the next pull finds it.
    results.flush();
  }
}

/** Milliseconds within which a file may be changed twice at the same time of change, as the coarsest clocks of kernels go. */
const RACY = 100;

/**
 * A clone of a source's file. Its content is read from the source, which memory may hold already, as long as that did not change
 * from before its first byte was read until after it was cloned and read: the time of change tells. Where that is too young to
 * tell, the clone itself is read.
 */
class Clone {
  readonly fd: number;
  readonly readSource: boolean;
  readonly #source: number;
  readonly #changed: number;

  constructor(fd: number, source: number, changed: number) {
    this.fd = fd;
    this.readSource = Date.now() - changed > RACY;
    this.#source = source;
    this.#changed = changed;
  }

  /** @throws CfsError CORRUPT if what was read need not be what was cloned. */
  verifyUnchanged(checksum: OstreeChecksum): void {
    if (!this.readSource || fstatSync(this.#source).ctimeMs === this.#changed) return;
    throw new CfsError('CORRUPT', `File object ${checksum} changed while it was read; pull again`, {
      object: checksum,
    });
  }
}

/** The most bytes that the stored ones can stand for, whatever size is declared. */
function mostContent(content: FileContent): number {
  if (content.kind === 'none') return 0;
  return content.deflated ? content.storedSize * MAX_DEFLATE_RATIO : content.storedSize;
}

/** Ingests file objects whose stored content is in files. */
class LocalIngest {
  readonly #writer: ObjectWriter;
  readonly #counters: ContentCounters;
  readonly #space: SpaceBudget;
  readonly #ingest: FileIngest;
  readonly #breathe: Breathe | undefined;
  #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  /** False once the file system has refused to share blocks. */
  #canReflink = true;

  constructor(job: ContentJob, writer: ObjectWriter, counters: ContentCounters, breathe: Breathe | undefined) {
    this.#writer = writer;
    this.#counters = counters;
    this.#space = job.space;
    this.#breathe = breathe;
    this.#ingest = new FileIngest(writer, job.writer.algorithm, (bytes) => counters.addBytes(bytes));
  }

  /** Closes the file, also if it fails. */
  async ingest(checksum: OstreeChecksum, file: FileObject): Promise<IngestedFile> {
    try {
      const { hashedHeader, size, content } = file;
      const deflated = content.kind === 'file' && content.deflated;
      const clone = this.#clone(file);
      if (clone === undefined && this.#ingest.isExternal(size)) {
        takeSpace(this.#space, checksum, Math.min(size, mostContent(content)));
      }
      this.#ingest.start({ checksum, hashedHeader, size, deflated, clone: clone?.fd });
      if (clone?.readSource === false) await this.#pushPlain(clone.fd, 0);
      else if (content.kind === 'file') await this.#push(content);
      clone?.verifyUnchanged(checksum);
      const result = this.#ingest.finish();
      this.#counters.addDone();
      return result;
    } catch (error) {
      this.#ingest.abort();
      throw error;
    } finally {
      file.close();
    }
  }

  /** A new object that shares the source's blocks, where the content is stored plainly and the file system can. */
  #clone({ size, content }: FileObject): Clone | undefined {
    if (content.kind !== 'file' || content.changed === undefined || !this.#ingest.isExternal(size)) return undefined;
    if (!this.#canReflink) return this.#link(content.fd, content.changed, content.mayLink);
    const fd = this.#writer.begin();
    let isCloned = false;
    try {
      isCloned = tryReflink(fd, content.fd);
    } finally {
      if (!isCloned) this.#writer.abort(fd);
    }
    if (isCloned) return new Clone(fd, content.fd, content.changed);
    this.#canReflink = false;
    return this.#link(content.fd, content.changed, content.mayLink);
  }

  /** The source's own file, to get another name here: an object that none but this user may change. */
  #link(source: number, changed: number, mayLink = false): Clone | undefined {
    if (!mayLink || !this.#writer.canAdopt(source)) return undefined;
    return new Clone(openSync(`/proc/self/fd/${source}`, 'r'), source, changed);
  }

  async #push(content: StoredContent): Promise<void> {
    const { fd, offset, head, complete, storedSize } = content;
    if (this.#ingest.wantsWhole(storedSize) && this.#ingest.pushWhole(this.#readWhole(content))) return;
    if (!this.#ingest.push(head) || complete) return;
    if (content.deflated) await this.#pushFrom(fd, offset + head.length);
    else await this.#pushPlain(fd, offset + head.length);
  }

  /** All stored bytes, which may be fewer than there were when the file was opened. `head` keeps what it holds. */
  #readWhole({ fd, offset, head, complete, storedSize }: StoredContent): Uint8Array {
    if (complete) return head;
    if (storedSize > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(storedSize);
    this.#buffer.set(head);
    let used = head.length;
    for (let length = 1; length > 0 && used < storedSize; used += length) {
      length = readSync(fd, this.#buffer, used, storedSize - used, offset + used);
    }
    return this.#buffer.subarray(0, used);
  }

  async #pushPlain(fd: number, start: number): Promise<void> {
    let position = start;
    const read = (buffer: Uint8Array, offset: number, length: number): number => {
      const count = readSync(fd, buffer, offset, length, position);
      position += count;
      return count;
    };
    while (this.#ingest.pushRead(read)) {
      this.#throwIfStopped();
      await this.#breathe?.();
    }
  }

  #throwIfStopped(): void {
    if (this.#counters.stopped) throw new CfsError('CANCELLED', 'The pull was stopped');
  }

  async #pushFrom(fd: number, position: number): Promise<void> {
    for (;;) {
      this.#throwIfStopped();
      const length = readSync(fd, this.#buffer, 0, READ_SIZE, position);
      position += length;
      if (length === 0 || !this.#ingest.push(this.#buffer.subarray(0, length))) return;
      await this.#breathe?.();
    }
  }
}
