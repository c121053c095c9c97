/** Entry of an export worker: writes batch after batch of files; see export-threads.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../bytes/errors.ts';
import type { BatchMessage, WorkerData } from './export-threads.ts';
import { FileExporter, type ExportedFile } from './file-exporter.ts';

const { store, options } = workerData as WorkerData;
const exporter = new FileExporter(store, options);

parentPort!.on('message', (files: readonly ExportedFile[]) => {
  let answer: BatchMessage;
  try {
    answer = { kind: 'done', counts: exporter.export(files) };
  } catch (error) {
    answer = { kind: 'error', error: serializeError(error) };
  }
  parentPort!.postMessage(answer);
});
