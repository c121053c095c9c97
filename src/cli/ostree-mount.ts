/** `cfs ostree mount COMMIT MOUNTPOINT` */
import type { Command } from 'commander';
import { NotFoundError } from '../../bytes/errors.ts';
import { assertComplete } from '../commit/partial.ts';
import { readCommit, resolveCommit } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { addMountOptions, mountImage, type MountOptions } from './mount-image.ts';

export function define(command: Command): void {
  command.argument('<commit>', 'ref, commit id, or the beginning of one');
  addMountOptions(command);
  examples(command, 'cfs ostree mount fedora/x86_64/iot /mnt');
  action(command, async (context: Context, name: string, mountpoint: string, options: MountOptions) => {
    using repository = await context.openRepository();
    const { image, checksum, content } = readCommit(repository, resolveCommit(repository, name));
    assertComplete(checksum, content);
    if (image === undefined) {
      throw new NotFoundError(`Commit ${checksum} has no image; make it with 'cfs ostree create-image ${name}'`);
    }
    mountImage(context, repository, image, mountpoint, options);
  });
}
