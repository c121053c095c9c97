/** `cfs compute-id PATH`: the id of a directory's image, which is computed and not stored. */
import type { Command } from 'commander';
import { readRoot, rootImage } from '../directory/image.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';
import { addRootOptions, hashForDirectory, rootOptions, type RootFlags } from './root-options.ts';

export function define(command: Command): void {
  command.argument('<path>', 'the directory');
  addRootOptions(command);
  examples(
    command,
    'cfs compute-id /mnt/rootfs    # format 1, whatever the repository writes, as cfsctl has it',
    'cfs --no-repo --hash sha256 --erofs-version 2 compute-id /mnt/rootfs',
  );
  action(command, run);
}

async function run(context: Context, path: string, flags: RootFlags): Promise<void> {
  const algorithm = await hashForDirectory(context);
  const version = context.erofsVersion ?? 1;
  const tree = await readRoot(path, algorithm, rootOptions(context, flags));
  const { id } = rootImage(tree, algorithm, version);
  context.output.end();
  if (context.json) writeJson({ image: id, algorithm, erofs_version: version });
  else writeLine(id);
}
