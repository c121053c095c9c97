/** `cfs ostree dump COMMIT`: the commit's tree as composefs-dump text. */
import type { Command } from 'commander';
import { storedTree } from '../commit/image.ts';
import { readCommit, resolveCommit } from '../commit/stored.ts';
import { dumpLines, formatDump } from '../tree/dumpfile-format.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeOut } from './output.ts';

export function define(command: Command): void {
  command.argument('<commit>', 'ref, commit id, or the beginning of one');
  examples(command, 'cfs ostree dump fedora/x86_64/iot | grep /usr/bin/bash');
  action(command, async (context: Context, name: string) => {
    using repository = await context.openRepository();
    const commit = resolveCommit(repository, name);
    const tree = await storedTree(readCommit(repository, commit));
    if (context.json) writeJson({ commit, lines: dumpLines(tree).toArray() });
    else writeOut(formatDump(tree));
  });
}
