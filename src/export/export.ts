/**
 * Export: a stored commit written to an OSTree repository on this machine, of any mode. Every object is verified on its way: metadata when
 * the graph is read, files while they are written.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import type { RepositoryMode } from '../../ostree/local/config.ts';
import { createLocalRepository } from '../../ostree/local/create-repository.ts';
import { openLocalRepository } from '../../ostree/local/repository.ts';
import { LocalRepositoryWriter } from '../../ostree/local/writer.ts';
import { checkRefName } from '../../ostree/ref.ts';
import type { StoredObject } from '../commit/content.ts';
import { assertComplete } from '../commit/partial.ts';
import { findCommit, readCommit, resolveCommit, storedGraph, type StoredCommit } from '../commit/stored.ts';
import { syncfs } from '../linux/files.ts';
import { tryOfdLock } from '../linux/ofd-lock.ts';
import { getXattr, listXattrs } from '../linux/xattr.ts';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository/repository.ts';
import { exportFiles } from './export-threads.ts';
import type { ExportCounts } from './file-exporter.ts';

export interface ExportOptions {
  /** The ref to write at the destination. */
  readonly reference?: string | undefined;
  /** Also export the commit's ancestors, as far as they are stored. */
  readonly withParents?: boolean | undefined;
  /** Make the destination, with this mode, if there is no repository. */
  readonly create?: RepositoryMode | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface ExportResult {
  readonly commit: OstreeChecksum;
  /** Of the destination. */
  readonly mode: RepositoryMode;
  /** The commit and the ancestors that were exported, the newest first. */
  readonly commits: readonly OstreeChecksum[];
  /** Metadata objects that the destination did not have. */
  readonly metadataWritten: number;
  readonly files: ExportCounts;
}

/**
 * @param source a ref, or the beginning of a commit id.
 * @param destination path of an OSTree repository.
 * @throws NotFoundError, CfsError LOCKED, ChecksumError, UnsupportedError; nothing of the commit is visible then.
 */
export async function exportCommit(
  repository: Repository,
  source: string,
  destination: string,
  options: ExportOptions = {},
): Promise<ExportResult> {
  const { reference, signal, onProgress } = options;
  if (reference !== undefined) checkRefName(reference);
  const release = await repository.hold({ signal });
  try {
    const commit = resolveCommit(repository, source);
    if (options.create !== undefined && !existsSync(join(destination, 'config'))) {
      createLocalRepository(destination, options.create);
    }
    using target = openLocalRepository(destination, { xattrs: { getXattr, listXattrs } });
    using writer = await LocalRepositoryWriter.open(target, { syncfs, tryLock: tryOfdLock }, signal);
    const commits = storedLine(repository, commit, options);
    const files = new Map<OstreeChecksum, StoredObject>();
    let metadataWritten = 0;
    for (const each of commits) {
      const graph = await storedGraph(each);
      signal?.throwIfAborted();
      for (const [type, objects] of [
        ['dirtree', graph.dirtrees],
        ['dirmeta', graph.dirmetas],
        ['commit', new Map([[graph.checksum, graph.commit]])],
      ] as const) {
        for (const checksum of objects.keys()) {
          if (writer.writeMetadata(type, checksum, graph.objects.get(checksum)!)) metadataWritten++;
        }
      }
      for (const checksum of graph.files) files.set(checksum, each.content.get(checksum)!);
    }
    const exported = Array.from(files, ([checksum, { data, object }]) => ({ checksum, data, object }));
    const { path, algorithm, secure } = repository;
    const data = { store: { path, algorithm, secure }, options: writer.fileOptions };
    const counts = await exportFiles(exported, data, { threads: options.threads, signal, onProgress });
    onProgress?.({ phase: 'sync', done: 0 });
    const refs = reference === undefined ? [] : ([[reference, commit]] as const);
    const ids = commits.map(({ checksum }) => checksum);
    writer.commit(ids, new Map(refs));
    if (existsSync(join(destination, 'summary'))) {
      options.onNote?.(`${destination} has a summary, which does not know of this: ostree summary --update`);
    }
    const { mode } = writer.fileOptions;
    return { commit, mode, commits: ids, metadataWritten, files: counts };
  } finally {
    release();
  }
}

/** The commit and, if asked for, its ancestors that are stored, the newest first. */
function storedLine(
  repository: Repository,
  commit: OstreeChecksum,
  { withParents = false, onNote }: ExportOptions,
): StoredCommit[] {
  const newest = readCommit(repository, commit);
  assertComplete(commit, newest.content);
  const line = [newest];
  if (!withParents) return line;
  const seen = new Set([commit]);
  for (let last = line[0]; last !== undefined; last = line.at(-1)) {
    const { parent } = decodeCommit(last.content.get(last.checksum)!.data, last.checksum);
    // The id of a stored commit is believed here, so a false one could lead back.
    if (parent === undefined || seen.has(parent)) break;
    const found = findCommit(repository, parent);
    if (found === undefined || found.content.partial) {
      const problem = found === undefined ? 'is not stored' : 'is stored in part';
      onNote?.(`The parent ${parent} of ${last.checksum} ${problem}, so it is not exported`);
      break;
    }
    seen.add(parent);
    line.push(found);
  }
  return line;
}
