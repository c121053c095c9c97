/** `cfs import-image REF`: stores the image that comes on stdin. */
import { addAbortSignal } from 'node:stream';
import type { Command } from 'commander';
import { CfsError } from '../../bytes/errors.ts';
import { imageObjects } from '../erofs/objects.ts';
import { objectSize } from '../repository/objects.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

/** Largest image that is read. */
const MAX_SIZE = 2 ** 30;

export function define(command: Command): void {
  command.argument('<ref>', 'the image ref to point to the image');
  examples(command, 'cfs import-image os < rootfs.cfs');
  action(command, run);
}

async function run(context: Context, ref: string): Promise<void> {
  using repository = await context.openRepository();
  const bytes = await readAll(context.signal);
  const missing = imageObjects(bytes)
    .values()
    .filter((id) => objectSize(repository, id) === undefined)
    .toArray();
  using transaction = await repository.begin(context.lockOptions);
  const image = transaction.storeBytes(bytes);
  transaction.linkImage(image);
  transaction.linkRef('images', ref, image);
  await transaction.commit();
  if (missing.length > 0) {
    const example = `${repository.algorithm}:${missing[0]}`;
    context.output.note(`The repository lacks ${missing.length} of the image's objects, such as ${example}`);
  }
  if (context.json) writeJson({ image, algorithm: repository.algorithm, named: ref, missing_objects: missing.length });
  else writeLine(`${repository.algorithm}:${image}`);
}

async function readAll(signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Also a terminal where nobody types does not outlast Ctrl-C.
  for await (const chunk of addAbortSignal(signal, process.stdin) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_SIZE) throw new CfsError('LIMIT', `Cannot import an image of more than ${MAX_SIZE} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
