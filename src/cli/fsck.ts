/** `cfs fsck`: checks the whole repository. */
import type { Command } from 'commander';
import { commitKnowledge } from '../commit/check.ts';
import { checkRepository } from '../repository/fsck.ts';
import { formatReport, isClean, reportJson } from '../repository/fsck-report.ts';
import { action, examples, type Context } from './context.ts';
import { EXIT_FAILURE } from './failure.ts';
import { printableLines, writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command.option('--metadata-only', 'leave out the objects: check streams, images and refs only');
  examples(command, 'cfs fsck', 'cfs fsck --json | jq .ok');
  action(command, run);
}

async function run(context: Context, options: { readonly metadataOnly?: boolean }): Promise<void> {
  using repository = await context.openRepository();
  const report = await checkRepository(repository, {
    metadataOnly: options.metadataOnly,
    streams: commitKnowledge(repository),
    onProgress: context.output.onProgress,
    ...context.lockOptions,
  });
  context.output.end();
  if (context.json) {
    writeJson(reportJson(report));
    return;
  }
  writeLine(printableLines(formatReport(report)));
  if (!isClean(report)) process.exitCode = EXIT_FAILURE;
}
