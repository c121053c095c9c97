/** `cfs fsck`: checks the whole repository, and repairs it on demand. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { commitKnowledge } from '../commit/check.ts';
import { formatRepair, repairJson } from '../repair/repair-report.ts';
import { repairRepository } from '../repair/repair.ts';
import { openRepairRepository, repairSource, type RepairSource } from '../repair/sources.ts';
import { checkRepository } from '../repository/fsck.ts';
import { formatReport, isClean, reportJson, type FsckReport } from '../repository/fsck-report.ts';
import { action, examples, type Context } from './context.ts';
import { EXIT_FAILURE, usageError } from './failure.ts';
import { printableLines, writeJson, writeLine } from './output.ts';
import { openPlace } from './remote-place.ts';

interface Options {
  readonly metadataOnly?: boolean;
  readonly repair?: boolean;
  readonly from?: readonly string[];
}

export function define(command: Command): void {
  command
    .option('--metadata-only', 'leave out the objects: check streams, images and refs only')
    .option(
      '--repair',
      'mend what is damaged, or make its commit a partial one; copies go to lost+found in the repository',
    )
    .option(
      '--from <place...>',
      'fetch what is lost from here: a path of an OSTree or composefs repository, a URL, or a remote',
    );
  examples(
    command,
    'cfs fsck',
    'cfs fsck --json | jq .ok',
    'cfs fsck --repair --from https://example.org/repo --from /mnt/usb/repo',
  );
  action(command, run);
}

async function run(context: Context, { metadataOnly, repair = false, from = [] }: Options): Promise<void> {
  if (!repair && from.length > 0) throw usageError('--from says where --repair fetches what is lost, and goes with it');
  using repository = await context.openRepository();
  const { onProgress } = context.output;
  const common = { metadataOnly, onProgress, ...context.lockOptions };
  let after: FsckReport;
  if (repair) {
    using stack = new DisposableStack();
    const sources: RepairSource[] = [];
    for (const place of from) sources.push(await openSource(context, place, repository.path, stack));
    const onNote = (text: string): void => context.output.note(text);
    const report = await repairRepository(repository, { ...common, sources, onNote });
    after = report.after;
    context.output.end();
    if (context.json) writeJson(repairJson(report));
    else writeLine(printableLines(formatRepair(report)));
    if (!isClean(after)) process.exitCode = EXIT_FAILURE;
  } else {
    after = await checkRepository(repository, { ...common, streams: commitKnowledge(repository) });
    context.output.end();
    if (context.json) writeJson(reportJson(after));
    else writeLine(printableLines(formatReport(after)));
    if (!isClean(after) && !context.json) process.exitCode = EXIT_FAILURE;
  }
  if (isClean(after)) return;
  const next = repair ? 'with another --from, if there is one' : "'cfs fsck --repair --from URL'";
  context.output.note(`To mend what can be mended: ${next}`);
}

async function openSource(
  context: Context,
  place: string,
  spool: string,
  stack: DisposableStack,
): Promise<RepairSource> {
  if (existsSync(place)) return stack.use(await openRepairRepository(place, context.signal));
  // All that is fetched is named by its checksum already: a signature would add nothing.
  const { source } = stack.use(await openPlace(context, place, { verifySignatures: false }));
  source.spoolIn?.(spool);
  return repairSource(source);
}
