/** What each content thread does: take a file, open it at the source, ingest it, until none is left. */
import { readSync } from 'node:fs';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { FileObject, Source } from '../../ostree/source.ts';
import { reflink } from '../linux/ioctl.ts';
import { ObjectWriter } from '../repository/object-writer.ts';
import { JobCounters, ResultCollector, type ContentJob, type ResultBatch } from './content-job.ts';
import { FileIngest, type IngestedFile } from './file-ingest.ts';

const READ_SIZE = 256 * 1024;

/**
 * Works on the job until no file is left, or it is stopped.
 * @throws the first error of a file; the job is stopped then.
 */
export async function runContentLoop(
  job: ContentJob,
  source: Source,
  emit: (batch: ResultBatch) => void,
): Promise<void> {
  const counters = new JobCounters(job);
  const results = new ResultCollector(emit);
  using writer = new ObjectWriter(job.writer);
  const ingester = new ContentIngester(job, writer, counters);
  try {
    for (let next = counters.next(); next !== undefined; next = counters.next()) {
      const opened = source.openFile(next.checksum);
      const file = opened instanceof Promise ? await opened : opened;
      results.add(next.index, ingester.ingest(next.checksum, file));
    }
  } catch (error) {
    counters.stop();
    throw error;
  }
  results.flush();
}

/** Ingests file objects of local repositories. */
class ContentIngester {
  readonly #writer: ObjectWriter;
  readonly #counters: JobCounters;
  readonly #ingest: FileIngest;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  /** False once the file system has refused to share blocks. */
  #canReflink = true;

  constructor(job: ContentJob, writer: ObjectWriter, counters: JobCounters) {
    this.#writer = writer;
    this.#counters = counters;
    this.#ingest = new FileIngest(writer, job.writer.algorithm, (bytes) => counters.addBytes(bytes));
  }

  ingest(checksum: OstreeChecksum, file: FileObject): IngestedFile {
    try {
      const { hashedHeader, size, content } = file;
      const deflated = content.kind === 'file' && content.deflated;
      const clone = this.#clone(file);
      this.#ingest.start({ checksum, hashedHeader, size, deflated, clone });
      if (clone !== undefined) this.#pushFrom(clone, 0);
      else if (content.kind === 'file' && this.#ingest.push(content.head) && !content.complete) {
        this.#pushFrom(content.fd, content.offset + content.head.length);
      }
      const result = this.#ingest.finish();
      this.#counters.addFile();
      return result;
    } catch (error) {
      this.#ingest.abort();
      throw error;
    } finally {
      file.close();
    }
  }

  /**
   * A new object that shares the source's blocks, where the content is stored plainly and the file system can. It is the
   * clone that is then read and verified: the source may change meanwhile.
   */
  #clone({ size, content }: FileObject): number | undefined {
    if (!this.#canReflink || content.kind !== 'file' || content.deflated || !this.#ingest.isExternal(size))
      return undefined;
    const fd = this.#writer.begin();
    try {
      reflink(fd, content.fd);
      return fd;
    } catch (error) {
      this.#writer.abort(fd);
      if (!hasCode(error, 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'EPERM', 'EACCES'))
        throw error;
      this.#canReflink = false;
      return undefined;
    }
  }

  #pushFrom(fd: number, position: number): void {
    for (;;) {
      if (this.#counters.stopped) throw new CfsError('CANCELLED', 'The pull was stopped');
      const length = readSync(fd, this.#buffer, 0, READ_SIZE, position);
      if (length === 0) return;
      position += length;
      if (!this.#ingest.push(this.#buffer.subarray(0, length))) return;
    }
  }
}
