/** Options of every command that pulls commits, from wherever. */
import { Option, type Command } from 'commander';
import type { DeltaPolicy } from '../pull/delta-choice.ts';
import type { PullOptions } from '../pull/pull.ts';
import type { FreeSpace } from '../pull/space.ts';
import { parseFreeSpace } from './byte-size.ts';
import { usageError } from './failure.ts';

export interface PullCommandOptions {
  readonly subpath?: readonly string[];
  readonly commitMetadataOnly?: boolean;
  readonly depth?: number;
  readonly minFreeSpace?: FreeSpace;
  readonly dryRun?: boolean;
  readonly baseName?: string;
  /** False for `--no-delta`. */
  readonly delta?: boolean;
  readonly requireDeltas?: boolean;
  readonly disableStaticDeltas?: boolean;
  readonly requireStaticDeltas?: boolean;
  readonly referenceRepo?: readonly string[];
  readonly localcacheRepo?: readonly string[];
  readonly disableVerifyBindings?: boolean;
  readonly timestampCheck?: boolean;
  readonly timestampCheckFromRev?: string;
}

export function addPullOptions(command: Command): void {
  command
    .optionsGroup('Options:')
    .option('--base-name <ref>', 'a stored ref or commit whose objects need not be fetched again')
    .option(
      '--reference-repo <path>',
      'an OSTree or composefs repository on disk to take objects from first (may be repeated)',
      append,
    )
    .addOption(new Option('--localcache-repo <path>', 'the name that ostree has for it').argParser(append).hideHelp())
    .option(
      '--min-free-space <size>',
      'keep so much of the disk free, such as 500M or 5% (default: 3%)',
      parseFreeSpace,
    )
    .option('--no-delta', 'fetch objects, also where the repository offers a static delta')
    .option('--require-deltas', 'fail unless a static delta gives everything that is not stored')
    .addOption(new Option('--disable-static-deltas', 'the name that ostree has for --no-delta').hideHelp())
    .addOption(new Option('--require-static-deltas', 'the name that ostree has for --require-deltas').hideHelp())
    .option('--dry-run', 'only say what would be fetched and stored, from where')
    .optionsGroup('What is pulled:')
    .option('--subpath <path>', 'only this directory or file, as an absolute path (may be repeated)', append)
    .option('--commit-metadata-only', 'only the commit object, nothing of the tree')
    .option('--depth <n>', 'so many parents too, -1 for all (default: 0)', depth)
    .optionsGroup('What a commit has to be:')
    .option('--disable-verify-bindings', 'take a commit that is bound to other refs, or to another collection')
    .option('-T, --timestamp-check', 'refuse a commit that is older than the one that the ref points to here')
    .option('--timestamp-check-from-rev <rev>', 'refuse a commit that is older than this stored ref or commit');
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function depth(text: string): number {
  if (!/^(-1|\d{1,9})$/.test(text)) throw usageError(`--depth ${text}: expected a number of parents, or -1 for all`);
  return Number(text);
}

function deltaPolicy(options: PullCommandOptions): DeltaPolicy | undefined {
  const never = options.delta === false || options.disableStaticDeltas === true;
  const required = options.requireDeltas === true || options.requireStaticDeltas === true;
  if (never && required) throw usageError('--no-delta and --require-deltas exclude each other');
  const whole = options.commitMetadataOnly !== true && options.subpath === undefined;
  if (required && !whole) {
    throw usageError(
      'Static deltas hold whole commits: --require-deltas fits neither --subpath nor --commit-metadata-only',
    );
  }
  return never ? 'never' : required ? 'required' : undefined;
}

/** The options of a pull that the command line gives. */
export function pullOptions(options: PullCommandOptions): PullOptions & { readonly dryRun?: boolean | undefined } {
  return {
    base: options.baseName,
    references: [...(options.referenceRepo ?? []), ...(options.localcacheRepo ?? [])],
    subpaths: options.subpath,
    commitMetadataOnly: options.commitMetadataOnly,
    depth: options.depth,
    deltas: deltaPolicy(options),
    minFreeSpace: options.minFreeSpace,
    dryRun: options.dryRun,
    checks: {
      bindings: options.disableVerifyBindings !== true,
      notOlder: options.timestampCheck,
      notOlderThan: options.timestampCheckFromRev,
    },
  };
}
