/** `cfs init [PATH]` */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { formatAlgorithm, parseAlgorithm } from '../repository/metadata.ts';
import { Repository } from '../repository/repository.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

interface Options {
  readonly algorithm?: string;
  readonly insecure?: boolean;
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
    .option('--insecure', 'do without fs-verity');
  examples(command, 'cfs init --insecure --algorithm fsverity-sha256-12 /var/lib/images', 'cfs --user init');
  action(command, run);
}

async function run(context: Context, path: string | undefined, options: Options): Promise<void> {
  const root = path === undefined ? context.repositoryPath : resolve(path);
  const algorithm = options.algorithm === undefined ? context.hash : parseAlgorithm(options.algorithm);
  const made = Repository.init(root, {
    algorithm,
    erofsVersion: context.erofsVersion,
    insecure: options.insecure,
  });
  using repository = await Repository.open(root, context.lockOptions);
  if (context.json) {
    const { secure } = repository;
    writeJson({ path: root, created: made === 'created', algorithm: formatAlgorithm(repository.algorithm), secure });
    return;
  }
  if (made === 'existing') {
    writeLine(`Repository already initialized at ${root}`);
    return;
  }
  writeLine(`Initialized composefs repository at ${root}`);
  writeLine(`  algorithm: ${formatAlgorithm(repository.algorithm)}`);
  writeLine(`  verity:    ${repository.secure ? 'required' : 'not required (insecure)'}`);
}
