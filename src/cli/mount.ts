/** `cfs mount NAME MOUNTPOINT` */
import type { Command } from 'commander';
import { resolveImage } from '../repository/images.ts';
import { action, examples, type Context } from './context.ts';
import { addMountOptions, mountImage, type MountOptions } from './mount-image.ts';

export function define(command: Command): void {
  command.argument('<name>', 'digest or ref of an image');
  addMountOptions(command);
  examples(
    command,
    'cfs mount refs/os /mnt',
    'cfs mount refs/os /mnt --upperdir /var/changes --workdir /var/work --read-write',
  );
  action(command, async (context: Context, name: string, mountpoint: string, options: MountOptions) => {
    using repository = await context.openRepository();
    mountImage(context, repository, resolveImage(repository, name), mountpoint, options);
  });
}
