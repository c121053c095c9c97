/** What each content thread does: take a file, open it at the source, ingest it, until none is left. */
import { readSync } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { FileContent, FileObject, Source } from '../../ostree/source.ts';
import { reflink } from '../linux/ioctl.ts';
import { ObjectWriter } from '../repository/object-writer.ts';
import { JobCounters, ResultCollector, type ContentJob, type ResultBatch } from './content-job.ts';
import { FileIngest, type IngestedFile } from './file-ingest.ts';

type StoredContent = Extract<FileContent, { kind: 'file' }>;

const READ_SIZE = 256 * 1024;

/** What a file system says that cannot share blocks between these two files. */
const CANNOT_REFLINK = ['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'EPERM', 'EACCES'];

/**
 * Works on the job until no file is left, or it is stopped.
 * @param breathe is awaited between files and pieces of large ones, for a thread that has other things to do.
 * @throws the first error of a file; the job is stopped then.
 */
export async function runContentLoop(
  job: ContentJob,
  source: Source,
  emit: (batch: ResultBatch) => void,
  breathe?: () => Promise<void> | undefined,
): Promise<void> {
  const counters = new JobCounters(job);
  const results = new ResultCollector(emit);
  using writer = new ObjectWriter(job.writer);
  const local = new LocalIngest(job, writer, counters, breathe);
  try {
    for (let next = counters.next(); next !== undefined; next = counters.next()) {
      const opened = source.openFile(next.checksum);
      const file = opened instanceof Promise ? await opened : opened;
      const ingested = local.ingest(next.checksum, file);
      results.add(next.index, ingested instanceof Promise ? await ingested : ingested);
      const pause = breathe?.();
      if (pause !== undefined) await pause;
    }
  } catch (error) {
    counters.stop();
    throw error;
  }
  results.flush();
}

/** Ingests file objects whose stored content is in files. */
class LocalIngest {
  readonly #writer: ObjectWriter;
  readonly #counters: JobCounters;
  readonly #ingest: FileIngest;
  readonly #breathe: (() => Promise<void> | undefined) | undefined;
  #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  /** False once the file system has refused to share blocks. */
  #canReflink = true;

  constructor(
    job: ContentJob,
    writer: ObjectWriter,
    counters: JobCounters,
    breathe: (() => Promise<void> | undefined) | undefined,
  ) {
    this.#breathe = breathe;
    this.#writer = writer;
    this.#counters = counters;
    this.#ingest = new FileIngest(writer, job.writer.algorithm, (bytes) => counters.addBytes(bytes));
  }

  /** Closes the file, also if it fails. A promise only where the thread had to breathe. */
  ingest(checksum: OstreeChecksum, file: FileObject): IngestedFile | Promise<IngestedFile> {
    try {
      const rest = this.#begin(checksum, file);
      return rest === undefined ? this.#finish(file) : this.#finishAfter(rest, file);
    } catch (error) {
      this.#drop(file);
      throw error;
    }
  }

  #begin(checksum: OstreeChecksum, file: FileObject): Promise<void> | undefined {
    const { hashedHeader, size, content } = file;
    const deflated = content.kind === 'file' && content.deflated;
    const clone = this.#clone(file);
    this.#ingest.start({ checksum, hashedHeader, size, deflated, clone });
    if (clone !== undefined) return this.#pushFrom(clone, 0);
    return content.kind === 'file' ? this.#push(content) : undefined;
  }

  #finish(file: FileObject): IngestedFile {
    const result = this.#ingest.finish();
    this.#counters.addFile();
    file.close();
    return result;
  }

  async #finishAfter(rest: Promise<void>, file: FileObject): Promise<IngestedFile> {
    try {
      await rest;
      return this.#finish(file);
    } catch (error) {
      this.#drop(file);
      throw error;
    }
  }

  #drop(file: FileObject): void {
    this.#ingest.abort();
    file.close();
  }

  /**
   * A new object that shares the source's blocks, where the content is stored plainly and the file system can. It is the
   * clone that is then read and verified: the source may change meanwhile.
   */
  #clone({ size, content }: FileObject): number | undefined {
    if (!this.#canReflink || content.kind !== 'file' || content.deflated) return undefined;
    if (!this.#ingest.isExternal(size)) return undefined;
    const fd = this.#writer.begin();
    try {
      reflink(fd, content.fd);
      return fd;
    } catch (error) {
      this.#writer.abort(fd);
      if (!hasCode(error, ...CANNOT_REFLINK)) throw error;
      this.#canReflink = false;
      return undefined;
    }
  }

  #push(content: StoredContent): Promise<void> | undefined {
    const { fd, offset, head, complete, storedSize } = content;
    if (this.#ingest.wantsWhole(storedSize) && this.#ingest.pushWhole(this.#readWhole(content))) return undefined;
    return this.#ingest.push(head) && !complete ? this.#pushFrom(fd, offset + head.length) : undefined;
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

  #pushFrom(fd: number, position: number): Promise<void> | undefined {
    for (let offset = position; ;) {
      if (this.#counters.stopped) throw new CfsError('CANCELLED', 'The pull was stopped');
      const length = readSync(fd, this.#buffer, 0, READ_SIZE, offset);
      offset += length;
      if (length === 0 || !this.#ingest.push(this.#buffer.subarray(0, length))) return undefined;
      const pause = this.#breathe?.();
      if (pause !== undefined) return this.#pushAfter(pause, fd, offset);
    }
  }

  async #pushAfter(pause: Promise<void>, fd: number, position: number): Promise<void> {
    await pause;
    await this.#pushFrom(fd, position);
  }
}
