/** `cfs ostree commit IMAGE|DIRECTORY` */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { makeCommit } from '../commit/make-commit.ts';
import { readDirectory } from '../directory/read.ts';
import { readImage } from '../erofs/read.ts';
import { resolveImage } from '../repository/images.ts';
import { readObject } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { Transaction } from '../repository/transaction.ts';
import type { Directory } from '../tree/tree.ts';
import { isObjectId } from '../verity/object-id.ts';
import { commitDetails, type DetailOptions } from './commit-details.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function define(command: Command): void {
  command
    .argument('<tree>', 'digest or refs/REF of an image, or path of a directory')
    .option('--reference <ref>', 'a ref to give the commit, to which it is bound')
    .option('--subject <text>', 'one line about the commit', '')
    .option('--body <text>', 'a longer description', '')
    .option('--parent <commit>', 'the commit before: a ref, a commit id, or none')
    .option('--timestamp <time>', '@SECONDS or a date like 2026-01-31T12:00:00Z; SOURCE_DATE_EPOCH or now unless given')
    .option('--add-metadata-string <key=value>', 'metadata of the commit, a string; may be repeated', collect, [])
    .option('--add-metadata <key=value>', 'the same with a value in GVariant text', collect, [])
    .option('--bind-ref <ref>', 'another ref that the commit may be pulled by; may be repeated', collect, [])
    .option('--no-bindings', 'do not bind the commit to refs');
  examples(
    command,
    'cfs ostree commit refs/os --reference os/stable --subject "Version 3"',
    'cfs ostree commit ./rootfs --reference os/stable --parent os/stable --add-metadata-string version=3',
  );
  action(command, run);
}

async function run(context: Context, tree: string, options: DetailOptions): Promise<void> {
  using repository = await context.openOrMakeRepository();
  const details = commitDetails(repository, options);
  using transaction = await repository.begin({ signal: context.signal });
  const root = await readTree(context, repository, transaction, tree);
  const { commit, stream, image } = await makeCommit(repository, transaction, root, details, {
    reference: options.reference,
    erofsVersion: context.erofsVersion,
    signal: context.signal,
    onProgress: context.output.onProgress,
  });
  context.output.end();
  if (context.json) {
    writeJson({ commit, verity: stream, image, tagged: options.reference });
    return;
  }
  writeLine(`commit  ${commit}`);
  writeLine(`verity  ${stream}`);
  if (options.reference !== undefined) writeLine(`tagged  ${options.reference}`);
}

/** A path that begins with `/` or `.` is always one; any other name is a directory's if no image has it. */
async function readTree(
  context: Context,
  repository: Repository,
  transaction: Transaction,
  name: string,
): Promise<Directory> {
  const isPath = /^[./]/.test(name);
  const isImage = isObjectId(name, repository.algorithm) || name.startsWith('refs/');
  if (!isPath && (isImage || statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true)) {
    return readImage(readObject(repository, resolveImage(repository, name)));
  }
  const { root } = await readDirectory(name, {
    content: { algorithm: repository.algorithm, writer: transaction.writerOptions, batch: 0 },
    threads: availableParallelism(),
    hardLinks: true,
    signal: context.signal,
    onProgress: context.output.onProgress,
  });
  return root;
}
