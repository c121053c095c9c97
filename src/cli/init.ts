/** `cfs init [PATH]` */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { RepositoryLock } from '../repository/lock.ts';
import { inferMetadata, readMetadata } from '../repository/metadata-file.ts';
import { formatAlgorithm, parseAlgorithm } from '../repository/metadata.ts';
import { Repository, type InitOptions } from '../repository/repository.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson, writeLine } from './output.ts';

interface Options {
  readonly algorithm?: string;
  readonly ensure?: boolean;
  readonly resetMetadata?: boolean;
}

export function define(command: Command): void {
  command
    .argument('[path]', 'where to make it, instead of the place that the global options name')
    .addOption(
      new Option('--algorithm <name>', 'digest of the objects (default: fsverity-sha512-12)').choices([
        'fsverity-sha512-12',
        'fsverity-sha256-12',
      ]),
    )
    .option('--insecure', 'do without fs-verity')
    .option('--ensure', 'take a repository that is there as it is; one of the old format gets its meta.json')
    .option('--reset-metadata', 'remove all streams and images of a repository, keep its objects, and begin anew');
  examples(
    command,
    'cfs init --insecure --algorithm fsverity-sha256-12 /var/lib/images',
    'cfs --user init',
    'cfs init --insecure --ensure /var/lib/images',
  );
  action(command, run);
}

type Outcome = 'created' | 'existing' | 'upgraded';

async function run(context: Context, path: string | undefined, options: Options): Promise<void> {
  const root = path === undefined ? context.repositoryPath : resolve(path);
  const algorithm = options.algorithm === undefined ? context.hash : parseAlgorithm(options.algorithm);
  const outcome = await make(context, root, algorithm, options);
  using repository = await Repository.open(root, {
    ...context.lockOptions,
    algorithm: options.ensure === true ? algorithm : undefined,
  });
  if (context.json) {
    writeJson({
      path: root,
      created: outcome === 'created',
      upgraded: outcome === 'upgraded',
      algorithm: formatAlgorithm(repository.algorithm),
      secure: repository.secure,
    });
  } else if (outcome === 'upgraded') {
    writeLine(`Upgraded legacy repository at ${root}`);
  } else if (outcome === 'existing') {
    const preserved = options.ensure === true ? ' (existing configuration preserved)' : '';
    writeLine(`Repository already initialized at ${root}${preserved}`);
  } else {
    writeLine(`Initialized composefs repository at ${root}`);
    writeLine(`  algorithm: ${formatAlgorithm(repository.algorithm)}`);
    writeLine(`  verity:    ${repository.secure ? 'required' : 'not required (insecure)'}`);
  }
}

async function make(
  context: Context,
  root: string,
  algorithm: HashAlgorithm | undefined,
  { ensure = false, resetMetadata = false }: Options,
): Promise<Outcome> {
  if (ensure && resetMetadata) throw usageError('--ensure and --reset-metadata exclude each other');
  const settings = { algorithm, erofsVersion: context.erofsVersion, insecure: context.insecure, ensure };
  if (!existsSync(root)) return Repository.init(root, settings);
  // Opening it writes the metadata that its objects tell.
  const inferred = readMetadata(root) === undefined ? inferMetadata(root)?.metadata.algorithm : undefined;
  if (ensure && inferred !== undefined) return 'upgraded';
  if (!resetMetadata) return Repository.init(root, settings);

  const reset = { ...settings, algorithm: algorithm ?? inferMetadata(root)?.metadata.algorithm };
  const lock = await RepositoryLock.open(root, context.lockOptions);
  try {
    const release = await lock.exclusive(context.lockOptions);
    try {
      assertCanMake(root, reset);
      return Repository.init(root, { ...reset, resetMetadata });
    } finally {
      release();
    }
  } finally {
    lock.close();
  }
}

/** Nothing may be removed for a repository that this file system cannot have. */
function assertCanMake(root: string, settings: InitOptions): void {
  const trial = mkdtempSync(join(root, '.trial-'));
  try {
    Repository.init(trial, settings);
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}
