/** `cfs ostree cat COMMIT PATH…`: the contents of files. */
import { closeSync, readSync } from 'node:fs';
import type { Command } from 'commander';
import { ChecksumError, CfsError } from '../../bytes/errors.ts';
import { CommitPaths } from '../commit/paths.ts';
import { readCommit, resolveCommit, storedGraph } from '../commit/stored.ts';
import { openObject, type ObjectStore } from '../repository/objects.ts';
import { VerityHasher } from '../verity/digest.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { action, examples, type Context } from './context.ts';
import { writeChunk, writeJson } from './output.ts';

const READ_SIZE = 256 * 1024;

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .argument('<path...>', 'files in it; symlinks are followed inside of the commit');
  examples(command, 'cfs ostree cat os/stable /usr/lib/os-release');
  action(command, run);
}

async function run(context: Context, name: string, paths: readonly string[]): Promise<void> {
  using repository = await context.openRepository();
  const commit = resolveCommit(repository, name);
  const stored = readCommit(repository, commit);
  const tree = new CommitPaths(await storedGraph(stored), (checksum) => stored.content.get(checksum));
  const files = paths.map((path) => {
    const entry = tree.follow(path);
    if (entry.kind === 'file') return entry;
    throw new CfsError('USAGE', `${path} is a directory; 'cfs ostree ls' lists it`, { path });
  });
  if (context.json) {
    writeJson({
      commit,
      files: files.map(({ stored: { object }, header: { size } }, i) => ({ path: paths[i], size, object })),
    });
    return;
  }
  for (const { stored: file, header } of files) {
    if (file.object === undefined) await writeChunk(file.data.subarray(header.length));
    else await writeObject(repository, file.object, context.signal);
  }
}

/** Writes an object piece by piece. @throws ChecksumError at its end if it was not what its name says. */
async function writeObject(store: ObjectStore, id: ObjectId, signal: AbortSignal): Promise<void> {
  const fd = openObject(store, id);
  try {
    const hasher = store.secure ? undefined : new VerityHasher(store.algorithm);
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_SIZE);
      const chunk = buffer.subarray(0, readSync(fd, buffer));
      if (chunk.length === 0) break;
      signal.throwIfAborted();
      hasher?.update(chunk);
      await writeChunk(chunk);
    }
    const actual = hasher?.digest();
    if (actual !== undefined && actual !== id) throw new ChecksumError('object', id, actual);
  } finally {
    closeSync(fd);
  }
}
