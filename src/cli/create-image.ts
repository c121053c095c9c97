/** `cfs create-image PATH [NAME]`: stores a directory's contents and an image of it. */
import type { Command } from 'commander';
import { storeRoot } from '../directory/image.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';
import { addRootOptions, rootOptions, type RootFlags } from './root-options.ts';

export function define(command: Command): void {
  command.argument('<path>', 'the directory').argument('[name]', 'an image ref to point to the image');
  addRootOptions(command);
  examples(command, 'cfs create-image /mnt/rootfs os', 'cfs create-image --no-propagate-usr-to-root /srv/tree');
  action(command, run);
}

async function run(context: Context, path: string, name: string | undefined, flags: RootFlags): Promise<void> {
  using repository = await context.openRepository();
  const options = { ...rootOptions(context, flags), version: context.erofsVersion, name, lock: context.lockOptions };
  const { image, images, objects } = await storeRoot(repository, path, options);
  context.output.end();
  if (context.json) writeJson({ image, algorithm: repository.algorithm, images, objects, named: name });
  else writeLine(`${repository.algorithm}:${image}`);
}
