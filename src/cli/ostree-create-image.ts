/** `cfs ostree create-image COMMIT [NAME]`: builds or rebuilds the image of a stored commit. */
import type { Command } from 'commander';
import { createCommitImage } from '../commit/image.ts';
import { resolveCommit } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .argument('[name]', 'an image ref to point to the image');
  examples(
    command,
    'cfs ostree create-image fedora/x86_64/iot iot',
    'cfs --erofs-version 0 ostree create-image 89f78d   # the format of the composefs C tools',
  );
  action(command, run);
}

async function run(context: Context, source: string, name: string | undefined): Promise<void> {
  using repository = await context.openRepository();
  const commit = resolveCommit(repository, source);
  const created = await createCommitImage(repository, commit, { version: context.erofsVersion, name });
  if (created.replaced !== undefined) context.output.note(`The commit had another image, ${created.replaced}`);
  if (context.json) {
    writeJson({ commit, verity: created.stream, image: created.image, replaced: created.replaced, named: name });
    return;
  }
  writeLine(`commit  ${commit}`);
  writeLine(`verity  ${created.stream}`);
  writeLine(`image   ${created.image}`);
  if (name !== undefined) writeLine(`named   ${name}`);
}
