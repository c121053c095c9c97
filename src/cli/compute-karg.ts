/** `cfs compute-karg PATH`: the kernel argument that boots a directory's image. */
import { Option, type Command } from 'commander';
import { readRoot, rootImage } from '../directory/image.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import { digestSize, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';
import { addPropagateOption, hashForDirectory, rootOptions, type RootFlags } from './root-options.ts';

/** log2 of the block size of fs-verity. */
const LOG_BLOCK_SIZE = 12;

export function define(command: Command): void {
  command.argument('<path>', 'the directory, which is prepared for booting as with --bootable');
  addPropagateOption(command);
  command.addOption(new Option('--insecure', 'let the boot go on where fs-verity is missing'));
  examples(
    command,
    'cfs compute-karg /mnt/rootfs > /etc/kernel/cmdline',
    'cfs --erofs-version 2 compute-karg /mnt/rootfs',
  );
  action(command, run);
}

async function run(context: Context, path: string, flags: RootFlags): Promise<void> {
  const algorithm = await hashForDirectory(context);
  const version = context.erofsVersion ?? 1;
  const tree = await readRoot(path, algorithm, rootOptions(context, { ...flags, bootable: true }));
  const { id } = rootImage(tree, algorithm, version);
  const karg = kernelArgument(id, algorithm, version, context.insecure);
  context.output.end();
  if (context.json) writeJson({ karg, image: id, algorithm, erofs_version: version });
  else writeLine(karg);
}

/** `composefs.digest=v1-sha256-12:HEX`, or `composefs=HEX` for format 2; a `?` lets the boot go on without fs-verity. */
export function kernelArgument(
  id: ObjectId,
  algorithm: HashAlgorithm,
  version: ErofsVersion,
  isOptional: boolean,
): string {
  const mark = isOptional ? '?' : '';
  if (version === 2) return `composefs=${mark}${id}`;
  return `composefs.digest=${mark}v1-sha${8 * digestSize(algorithm)}-${LOG_BLOCK_SIZE}:${id}`;
}
