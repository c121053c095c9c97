/** `cfs copy REF --from|--to REPO` */
import type { Command } from 'commander';
import { copyCommit } from '../export/copy.ts';
import { Repository } from '../repository/repository.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';

interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly name?: string;
}

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .option('--from <repo>', 'copy from the composefs repository REPO into this one')
    .option('--to <repo>', 'copy from this repository into the composefs repository REPO')
    .option('--name <ref>', 'the ref to write, in place of the same one');
  examples(
    command,
    'cfs --repo /var/lib/images copy os/stable --from /mnt/usb/images',
    'cfs copy 89f78d --to /srv/images --name os/rollback',
  );
  action(command, run);
}

async function run(context: Context, commit: string, { from, to, name }: Options): Promise<void> {
  const path = from ?? to;
  if (path === undefined || (from !== undefined && to !== undefined))
    throw usageError('Say --from or --to, one of them');
  using own = await context.openRepository();
  using other = await Repository.open(path, context.lockOptions);
  const { signal, output } = context;
  const [source, target] = from === undefined ? [own, other] : [other, own];
  const result = await copyCommit(source, target, commit, { name, signal, onProgress: output.onProgress });
  output.end();
  if (context.json) {
    const { present, reflinked, hardlinked, copied } = result.objects;
    writeJson({
      commit: result.commit,
      verity: result.stream,
      image: result.image,
      tagged: result.ref,
      objects: { reflinked, hardlinked, copied_in_kernel: result.objects['copied in kernel'], copied, present },
      bytes: result.bytes,
    });
    return;
  }
  writeLine(`commit  ${result.commit}`);
  writeLine(`verity  ${result.stream}`);
  if (result.image !== undefined) writeLine(`image   ${result.image}`);
  if (result.ref !== undefined) writeLine(`tagged  ${result.ref}`);
  const ways = Object.entries(result.objects).filter(([, count]) => count > 0);
  const text = ways.map(([how, count]) => `${count} ${how === 'present' ? 'already present' : how}`).join(' + ');
  writeLine(`objects ${text === '' ? 'none' : text}; ${formatBytes(result.bytes)}`);
}
