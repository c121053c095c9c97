/** `cfs ostree inspect COMMIT`: the commit object. */
import type { Command } from 'commander';
import { decodeCommit } from '../../ostree/commit.ts';
import { readCommit, resolveCommit } from '../commit/stored.ts';
import { dateText, metadataText } from './commit-text.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .option('--metadata', "the commit's metadata as KEY=VALUE lines instead");
  examples(command, 'cfs ostree inspect fedora/x86_64/iot', 'cfs ostree inspect --metadata 89f78d');
  action(command, run);
}

async function run(context: Context, name: string, options: { readonly metadata?: boolean }): Promise<void> {
  using repository = await context.openRepository();
  const stored = readCommit(repository, resolveCommit(repository, name));
  const commit = decodeCommit(stored.content.get(stored.checksum)!.data, stored.checksum);
  const metadata = commit.metadata.map(([key, value]) => [key, metadataText(value)] as const);
  const date = dateText(commit.timestamp, 'UTC');
  if (context.json) {
    writeJson({
      commit: stored.checksum,
      parent: commit.parent,
      timestamp: commit.timestamp,
      date,
      tree: commit.rootTree,
      dirmeta: commit.rootMeta,
      subject: commit.subject,
      body: commit.body,
      metadata: Object.fromEntries(metadata),
      verity: stored.stream,
      image: stored.image,
      partial: stored.content.partial,
    });
    return;
  }
  if (options.metadata === true) {
    for (const [key, text] of metadata) writeLine(`${printable(key)}=${printable(text)}`);
    return;
  }
  writeLine(`commit  ${stored.checksum}`);
  if (stored.content.partial) writeLine('state   partial');
  if (commit.parent !== undefined) writeLine(`parent  ${commit.parent}`);
  writeLine(`date    ${date}`);
  writeLine(`tree    ${commit.rootTree}`);
  writeLine(`dirmeta ${commit.rootMeta}`);
  for (const text of [commit.subject, commit.body]) {
    if (text !== '') writeLine(`\n${text.trimEnd().split('\n').map(printable).join('\n')}`);
  }
}
