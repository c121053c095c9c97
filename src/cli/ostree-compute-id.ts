/** `cfs ostree compute-id COMMIT`: the id of the commit's image, which is computed and not stored. */
import type { Command } from 'commander';
import { buildImage, storedTree } from '../commit/image.ts';
import { readCommit, resolveCommit } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command.argument('<commit>', 'ref, commit id, or the beginning of one');
  examples(command, 'cfs ostree compute-id fedora/x86_64/iot', 'cfs --erofs-version 2 ostree compute-id 89f78d');
  action(command, async (context: Context, name: string) => {
    using repository = await context.openRepository();
    const commit = resolveCommit(repository, name);
    const tree = await storedTree(readCommit(repository, commit));
    const version = context.erofsVersion ?? repository.formats.default;
    const { id } = buildImage(tree, repository.algorithm, version);
    if (context.json) writeJson({ commit, image: id, erofs_version: version });
    else writeLine(id);
  });
}
