/** `cfs ostree apply-delta FILE|DIR` */
import type { Command } from 'commander';
import { DeltaFileSource } from '../../ostree/delta/file-source.ts';
import { nameFor, pullCommit } from '../pull/pull.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { printable, writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command
    .argument('<delta>', 'folder of a static delta, or its superblock, with the parts inside or beside it')
    .option('--reference <name>', 'give the commit this name');
  examples(
    command,
    'cfs ostree apply-delta /mnt/usb/os-1-2.delta --reference os/stable',
    'cfs --json ostree apply-delta /srv/repo/deltas/if/eNPTowWEbig…',
  );
  action(command, run);
}

async function run(context: Context, path: string, options: { readonly reference?: string }): Promise<void> {
  using source = new DeltaFileSource(path);
  const { to } = source.superblock;
  const { reference = to } = options;
  if (options.reference !== undefined && nameFor(reference, to) === undefined) {
    throw usageError(`--reference ${reference}: that means a commit and is no name to give`);
  }
  using repository = await context.openOrMakeRepository();
  const result = await pullCommit(repository, source, reference, {
    commit: to,
    deltas: 'required',
    checks: { bindings: false },
    erofsVersion: context.erofsVersion,
    signal: context.signal,
    onProgress: context.output.onProgress,
    onNote: context.output.note,
  });
  context.output.end();
  if (context.json) {
    writeJson({
      commit: result.commit,
      verity: result.stream,
      image: result.image,
      tagged: result.ref,
      delta: result.delta,
      metadata_applied: result.metadataFetched,
      files_applied: result.filesFetched,
      files_reused: result.filesReused,
      content: result.content,
      bytes_written: result.bytesWritten,
    });
    return;
  }
  writeLine(`commit  ${result.commit}`);
  writeLine(`verity  ${result.stream}`);
  writeLine(`image   ${result.image}`);
  if (result.ref !== undefined) writeLine(`tagged  ${printable(result.ref)}`);
  writeLine(`objects ${result.metadataFetched} metadata + ${result.filesFetched} files applied`);
}
