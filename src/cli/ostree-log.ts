/** `cfs ostree log COMMIT`: a commit and its stored ancestors, as `ostree log` shows them. */
import type { Command } from 'commander';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { contentChecksum, decodeCommit, type Commit } from '../../ostree/commit.ts';
import { findCommit, readCommit, resolveCommit, type StoredCommit } from '../commit/stored.ts';
import { dateText, metadataText } from './commit-text.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command.argument('<commit>', 'ref, commit id, or the beginning of one');
  examples(command, 'cfs ostree log fedora/x86_64/iot', 'cfs --json ostree log os/stable | jq -r .commits[].version');
  action(command, run);
}

interface Entry {
  readonly checksum: OstreeChecksum;
  readonly commit: Commit;
}

async function run(context: Context, name: string): Promise<void> {
  using repository = await context.openRepository();
  const entries: Entry[] = [];
  const seen = new Set<OstreeChecksum>();
  let next: StoredCommit | undefined = readCommit(repository, resolveCommit(repository, name));
  // The id of a stored commit is believed here, so a false one could lead back.
  while (next !== undefined && !seen.has(next.checksum)) {
    const { checksum } = next;
    seen.add(checksum);
    const commit = decodeCommit(next.content.get(checksum)!.data, checksum);
    entries.push({ checksum, commit });
    next = commit.parent === undefined ? undefined : findCommit(repository, commit.parent);
  }
  if (context.json) {
    writeJson({ commits: entries.map(entryJson) });
    return;
  }
  for (const entry of entries) writeEntry(entry);
  const missing = entries.at(-1)!.commit.parent;
  if (missing !== undefined) writeLine('<< History beyond this commit not fetched >>');
}

function version({ metadata }: Commit): string | undefined {
  const found = metadata.find(([key]) => key === 'version');
  return found === undefined ? undefined : metadataText(found[1]);
}

function entryJson({ checksum, commit }: Entry): unknown {
  return {
    commit: checksum,
    parent: commit.parent,
    content_checksum: contentChecksum(commit),
    timestamp: commit.timestamp,
    date: dateText(commit.timestamp, 'UTC'),
    version: version(commit),
    subject: commit.subject,
    body: commit.body,
  };
}

function writeEntry({ checksum, commit }: Entry): void {
  writeLine(`commit ${checksum}`);
  if (commit.parent !== undefined) writeLine(`Parent:  ${commit.parent}`);
  writeLine(`ContentChecksum:  ${contentChecksum(commit)}`);
  writeLine(`Date:  ${dateText(commit.timestamp, '+0000')}`);
  const text = version(commit);
  if (text !== undefined) writeLine(`Version: ${printable(text)}`);
  if (commit.subject === '') {
    writeLine('(no subject)');
  } else {
    writeLine('');
    writeIndented(commit.subject);
  }
  writeLine('');
  if (commit.body === '') return;
  writeIndented(commit.body);
  writeLine('');
}

function writeIndented(text: string): void {
  for (const line of text.replace(/\n$/, '').split('\n')) writeLine(`    ${printable(line)}`);
}
