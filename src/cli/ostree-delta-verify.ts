/** `cfs ostree delta verify PLACE [DELTA]`: whether a static delta makes what it says. Signatures are not looked at. */
import type { Command } from 'commander';
import { findCommit } from '../commit/stored.ts';
import { verifyPart } from '../pull/delta-inspect.ts';
import { readSuperblock } from '../pull/delta-place.ts';
import { deltaSources } from '../pull/delta-sources.ts';
import { action, examples, type Context } from './context.ts';
import { addPlace, onlyDelta, openPlace } from './delta-argument.ts';
import type { HttpOptions } from './http-options.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  addPlace(command);
  command.argument('[delta]', 'FROM-TO or TO, if the place has several');
  examples(
    command,
    'cfs ostree delta verify /mnt/usb/os-from-nothing.delta',
    'cfs --repo /var/lib/images ostree delta verify /srv/repo 89f78d…-9e6683…   # that has the older commit',
  );
  action(command, run);
}

async function run(context: Context, path: string, name: string | undefined, options: HttpOptions): Promise<void> {
  using place = openPlace(path, options);
  const superblock = await readSuperblock(place, await onlyDelta(context, place, name), context.signal);
  const { from, parts } = superblock;
  using repository = from === undefined ? undefined : await context.openRepository();
  // A part that needs nothing of FROM can be verified without it; one that does says what is missing.
  const known = from !== undefined && repository !== undefined && findCommit(repository, from) !== undefined;
  const open = known ? deltaSources(repository, from) : () => undefined;
  let objects = 0;
  for (const part of parts) {
    await verifyPart(place.deltas, superblock, part, open, context.signal);
    objects += part.objects.length;
  }
  if (context.json)
    writeJson({ delta: superblock.name, parts: parts.length, objects, signed: superblock.signatures !== undefined });
  else writeLine(`${superblock.name}: ${parts.length} parts, ${objects} objects: good`);
}
