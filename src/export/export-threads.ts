/**
 * Writes the files of an export on all processors: each worker takes the next batch when it has done one. Batches are bounded by files
 * and by bytes, so that no worker is left alone with the end; a few files are written by the calling thread itself.
 */
import { availableParallelism } from 'node:os';
import { decodeArchiveHeader } from '../../ostree/file-header.ts';
import type { FileWriterOptions } from '../../ostree/local/write-file.ts';
import type { OnProgress } from '../progress.ts';
import type { ObjectStore } from '../repository/objects.ts';
import { runTasks } from '../threads.ts';
import { FileExporter, type ExportCounts, type ExportedFile } from './file-exporter.ts';

const MAX_THREADS = 16;
const BATCH_FILES = 64;
const BATCH_BYTES = 4 * 1024 * 1024;
/** What is less is done before workers have started. */
const WORTH_WORKERS = { files: 100, bytes: 16 * 1024 * 1024 };

/** What a worker is made with. */
export interface WorkerData {
  readonly store: ObjectStore;
  readonly options: FileWriterOptions;
}

export interface ThreadOptions {
  /** The most workers; by default the number of processors. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The worker's own file, as it lies beside this one: a source or compiled. */
const workerFile = new URL(`./export-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** @throws the first error of a file, or the reason of the signal; no thread works any more then. */
export async function exportFiles(
  files: readonly ExportedFile[],
  data: WorkerData,
  { threads = Math.min(availableParallelism(), MAX_THREADS), signal, onProgress }: ThreadOptions = {},
): Promise<ExportCounts> {
  const { batches, bytes } = batchesOf(files);
  const total = { written: 0, reflinked: 0, present: 0, bytes: 0 };
  const add = (counts: ExportCounts): void => {
    for (const key of ['written', 'reflinked', 'present', 'bytes'] as const) total[key] += counts[key];
    const done = total.written + total.reflinked + total.present;
    onProgress?.({ phase: 'content', done, total: files.length, bytes: total.bytes });
  };
  signal?.throwIfAborted();
  if (files.length < WORTH_WORKERS.files && bytes < WORTH_WORKERS.bytes) {
    const exporter = new FileExporter(data.store, data.options);
    for (const batch of batches) add(exporter.export(batch));
    return total;
  }
  await runTasks({ file: workerFile, data, threads, tasks: batches, collect: add, signal });
  return total;
}

/** The largest files first: what is begun last should end soon. */
function batchesOf(files: readonly ExportedFile[]): { batches: ExportedFile[][]; bytes: number } {
  const sized = files.map((file) => ({ file, size: decodeArchiveHeader(file.data, file.checksum).size }));
  sized.sort((a, b) => b.size - a.size);
  const batches: ExportedFile[][] = [];
  let room = 0;
  let bytes = 0;
  for (const { file, size } of sized) {
    let batch = batches.at(-1);
    if (batch === undefined || batch.length === BATCH_FILES || size > room) {
      batches.push((batch = []));
      room = BATCH_BYTES;
    }
    batch.push(file);
    room -= size;
    bytes += size;
  }
  return { batches, bytes };
}
