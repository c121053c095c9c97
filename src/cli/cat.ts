/** `cfs cat NAME`: the merged content of a split stream. */
import type { Command } from 'commander';
import { NotFoundError } from '../../bytes/errors.ts';
import { readRef } from '../repository/refs.ts';
import { readStream, streamContent } from '../repository/streams.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeChunk, writeJson } from './output.ts';

const REFS = 'refs/';

export function define(command: Command): void {
  command.argument('<name>', 'name of a stream, or refs/REF');
  examples(command, 'cfs cat oci-layer-sha256:… | tar -t', 'cfs cat refs/ostree/os | sha256sum');
  action(command, run);
}

async function run(context: Context, name: string): Promise<void> {
  using repository = await context.openRepository();
  const target = name.startsWith(REFS) ? readRef(repository, 'streams', name.slice(REFS.length)) : name;
  if (target === undefined) throw new NotFoundError(`Stream ${name} is missing in ${repository.path}`, { name });
  const stream = readStream(repository, target);
  if (context.json) {
    const { streamSize, objectRefs, namedRefs, contentType } = stream;
    writeJson({
      name: target,
      content_type: `0x${contentType.toString(16)}`,
      size: streamSize,
      objects: objectRefs.length,
      named_refs: Object.fromEntries(namedRefs),
    });
    return;
  }
  if (process.stdout.isTTY) throw usageError('A stream is binary; send it to a file or a pipe');
  for (const piece of streamContent(repository, stream)) await writeChunk(piece);
}
