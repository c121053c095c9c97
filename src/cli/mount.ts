/** `cfs mount NAME MOUNTPOINT` */
import type { Command } from 'commander';
import { resolveImage } from '../repository/images.ts';
import { action, examples, type Context } from './context.ts';
import { mountImage } from './mount-image.ts';

export function define(command: Command): void {
  command.argument('<name>', 'digest or ref of an image').argument('<mountpoint>', 'an existing directory');
  examples(command, 'cfs mount refs/os /mnt');
  action(command, async (context: Context, name: string, mountpoint: string) => {
    using repository = await context.openRepository();
    mountImage(context, repository, resolveImage(repository, name), mountpoint);
  });
}
