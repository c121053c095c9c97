/** `cfs gc`: removes what no ref reaches. */
import type { Command } from 'commander';
import { collectGarbage } from '../repository/gc.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

interface Options {
  readonly root?: readonly string[];
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  command
    .option('-r, --root <name...>', 'keep this image or stream, and what it reaches, too')
    .option('-n, --dry-run', 'only say what would be removed');
  examples(command, 'cfs gc --dry-run', 'cfs gc --root ostree-commit-89f78d3d…');
  action(command, run);
}

async function run(context: Context, { root, dryRun }: Options): Promise<void> {
  using repository = await context.openRepository();
  const report = await collectGarbage(repository, { roots: root, dryRun, ...context.lockOptions });
  for (const warning of report.warnings) context.output.note(`Warning: ${warning}`);
  if (context.json) {
    writeJson({
      dry_run: report.dryRun,
      objects_removed: report.objectsRemoved,
      bytes_removed: report.bytesRemoved,
      images_pruned: report.imagesPruned,
      streams_pruned: report.streamsPruned,
      warnings: report.warnings,
    });
    return;
  }
  if (report.dryRun) writeLine('Dry run (no files deleted):');
  writeLine(`Objects: ${report.objectsRemoved} removed (${report.bytesRemoved} bytes)`);
  if (report.imagesPruned > 0 || report.streamsPruned > 0) {
    writeLine(`Pruned symlinks: ${report.imagesPruned} images, ${report.streamsPruned} streams`);
  }
}
