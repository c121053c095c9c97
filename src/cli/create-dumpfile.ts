/** `cfs create-dumpfile PATH`: a directory as composefs-dump text. */
import type { Command } from 'commander';
import { readRoot } from '../directory/image.ts';
import { dumpLines } from '../tree/dumpfile-format.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';
import { addRootOptions, hashForDirectory, rootOptions, type RootFlags } from './root-options.ts';

export function define(command: Command): void {
  command.argument('<path>', 'the directory');
  addRootOptions(command);
  examples(command, 'cfs --no-repo create-dumpfile --no-propagate-usr-to-root /mnt/rootfs | grep /usr/bin/bash');
  action(command, run);
}

async function run(context: Context, path: string, flags: RootFlags): Promise<void> {
  const tree = await readRoot(path, await hashForDirectory(context), rootOptions(context, flags));
  context.output.end();
  if (context.json) writeJson({ lines: dumpLines(tree).toArray() });
  else for (const line of dumpLines(tree)) writeLine(line);
}
