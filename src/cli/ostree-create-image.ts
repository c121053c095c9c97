/** `cfs ostree create-image COMMIT [NAME]`: builds or rebuilds the image of a stored commit. */
import type { Command } from 'commander';
import { createCommitImage, createSubtreeImage } from '../commit/image.ts';
import { resolveCommit } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .argument('[name]', 'an image ref to point to the image')
    .option(
      '--subpath <path>',
      'the image of this directory alone, also of a commit that was pulled in part; needs a name',
    );
  examples(
    command,
    'cfs ostree create-image fedora/x86_64/iot iot',
    'cfs ostree create-image --subpath /usr/share/locale fedora/x86_64/iot locales',
    'cfs --erofs-version 0 ostree create-image 89f78d   # the format of the composefs C tools',
  );
  action(command, run);
}

async function run(
  context: Context,
  source: string,
  name: string | undefined,
  { subpath }: { readonly subpath?: string },
): Promise<void> {
  using repository = await context.openRepository();
  const commit = resolveCommit(repository, source);
  if (subpath !== undefined) {
    if (name === undefined) throw usageError('--subpath needs a name for the image, which nothing else would keep');
    const image = await createSubtreeImage(repository, commit, subpath, name, context.erofsVersion);
    if (context.json) {
      writeJson({ commit, subpath, image, named: name });
      return;
    }
    writeLine(`commit  ${commit}`);
    writeLine(`image   ${image}`);
    writeLine(`named   ${name}`);
    return;
  }
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
