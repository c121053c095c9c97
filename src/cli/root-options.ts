/** What the commands on directories share: the options for a root file system, and the hash where no repository is needed. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Option, type Command } from 'commander';
import type { RootOptions } from '../directory/image.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';
import type { Context } from './context.ts';

/** As commander gives them. */
export interface RootFlags {
  readonly bootable?: boolean;
  /** False for `--no-propagate-usr-to-root`. */
  readonly propagateUsrToRoot?: boolean;
  readonly xattrs?: 'allowlist-only' | 'keep-user-xattrs';
}

const MAX_THREADS = 8;

export function addPropagateOption(command: Command): void {
  command.option('--no-propagate-usr-to-root', 'leave the metadata of the root, all xattrs and /run as they are');
}

export function addRootOptions(command: Command): void {
  command.option('--bootable', 'empty /boot and /sysroot, and drop SELinux labels');
  addPropagateOption(command);
  command.addOption(
    new Option('--xattrs <mode>', 'which extended attributes are kept besides security.capability: none, or user.*')
      .choices(['allowlist-only', 'keep-user-xattrs'])
      .default('allowlist-only'),
  );
}

export function rootOptions(context: Context, flags: RootFlags): RootOptions {
  return {
    propagateUsr: flags.propagateUsrToRoot !== false,
    keepUserXattrs: flags.xattrs === 'keep-user-xattrs',
    bootable: flags.bootable === true,
    threads: Math.min(availableParallelism(), MAX_THREADS),
    signal: context.signal,
    onProgress: context.output.onProgress,
  };
}

/** The repository's hash if there is a repository, else the one that is asked for, else sha512. */
export async function hashForDirectory(context: Context): Promise<HashAlgorithm> {
  const wanted = context.hash ?? 'sha512';
  if (!context.usesRepository) return wanted;
  if (!context.namesRepository && !existsSync(context.repositoryPath)) return wanted;
  using repository = await context.openRepository();
  return repository.algorithm;
}
