/** `cfs image-objects NAME`: the objects that an image needs. */
import type { Command } from 'commander';
import { imageObjects } from '../erofs/objects.ts';
import { resolveImage } from '../repository/images.ts';
import { readObject } from '../repository/objects.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command.argument('<name>', 'digest or ref of an image');
  examples(command, 'cfs image-objects refs/os', 'cfs image-objects 5a1d1e48… | wc -l');
  action(command, run);
}

async function run(context: Context, name: string): Promise<void> {
  using repository = await context.openRepository();
  const objects = [...imageObjects(readObject(repository, resolveImage(repository, name)))].sort();
  if (context.json) writeJson({ objects });
  else for (const id of objects) writeLine(`${repository.algorithm}:${id}`);
}
