/** Options of every command that pulls commits, from wherever. */
import type { Command } from 'commander';
import type { PullOptions } from '../pull/pull.ts';

export interface PullCommandOptions {
  readonly baseName?: string;
  readonly disableVerifyBindings?: boolean;
  readonly timestampCheck?: boolean;
  readonly timestampCheckFromRev?: string;
}

export function addPullOptions(command: Command): void {
  command
    .optionsGroup('Options:')
    .option('--base-name <ref>', 'a stored ref or commit whose objects need not be fetched again')
    .optionsGroup('What a commit has to be:')
    .option('--disable-verify-bindings', 'take a commit that is bound to other refs, or to another collection')
    .option('-T, --timestamp-check', 'refuse a commit that is older than the one that the ref points to here')
    .option('--timestamp-check-from-rev <rev>', 'refuse a commit that is older than this stored ref or commit');
}

/** The options of a pull that the command line gives. */
export function pullOptions(options: PullCommandOptions): PullOptions {
  return {
    base: options.baseName,
    checks: {
      bindings: options.disableVerifyBindings !== true,
      notOlder: options.timestampCheck,
      notOlderThan: options.timestampCheckFromRev,
    },
  };
}
