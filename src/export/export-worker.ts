/** Entry of an export worker: writes batch after batch of files; see export-threads.ts. */
import { workerData } from 'node:worker_threads';
import { workOnEach } from '../threads.ts';
import type { WorkerData } from './export-threads.ts';
import { FileExporter, type ExportedFile } from './file-exporter.ts';

const { store, options } = workerData as WorkerData;
const exporter = new FileExporter(store, options);

workOnEach((files: readonly ExportedFile[], emit) => emit(exporter.export(files)));
