/** `cfs ostree export COMMIT REPO` */
import { Option, type Command } from 'commander';
import type { RepositoryMode } from '../../ostree/local/config.ts';
import { exportCommit } from '../export/export.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';

const modes: readonly RepositoryMode[] = ['archive', 'bare', 'bare-user', 'bare-user-only', 'bare-split-xattrs'];

interface Options {
  readonly reference?: string;
  readonly withParents?: boolean;
  readonly create?: RepositoryMode;
}

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .argument('<ostree-repo>', 'path of an OSTree repository, of any mode')
    .option('--reference <ref>', 'the ref to write there')
    .option('--with-parents', "also the commit's ancestors, as far as they are stored")
    .addOption(new Option('--create <mode>', 'make the OSTree repository if there is none').choices(modes));
  examples(
    command,
    'cfs ostree export os/stable /srv/repo --reference os/stable',
    'cfs ostree export 89f78d /mnt/usb/repo --create archive --with-parents',
  );
  action(command, run);
}

async function run(context: Context, source: string, path: string, options: Options): Promise<void> {
  const begun = performance.now();
  using repository = await context.openRepository();
  const { onProgress, note } = context.output;
  const result = await exportCommit(repository, source, path, {
    ...options,
    signal: context.signal,
    onProgress,
    onNote: note,
  });
  context.output.end();
  const { commit, commits, mode, metadataWritten, files } = result;
  const seconds = (performance.now() - begun) / 1000;
  if (context.json) {
    writeJson({
      commit,
      tagged: options.reference,
      mode,
      commits,
      metadata_written: metadataWritten,
      files_written: files.written,
      files_reflinked: files.reflinked,
      files_present: files.present,
      bytes: files.bytes,
      seconds: Number(seconds.toFixed(3)),
    });
    return;
  }
  writeLine(`commit  ${commit}`);
  if (options.reference !== undefined) writeLine(`tagged  ${options.reference}`);
  const reflinked = files.reflinked > 0 ? ` + ${files.reflinked} reflinked` : '';
  note(
    `${metadataWritten} metadata objects and ${files.written}${reflinked} files written (${formatBytes(files.bytes)}), ` +
      `${files.present} files were there; ${seconds.toFixed(1)} seconds`,
  );
}
