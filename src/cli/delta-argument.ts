/** Arguments of the commands that look at static deltas: a place, and which of its deltas. */
import type { Command } from 'commander';
import { openHttpSource } from '../../ostree/http/source.ts';
import { deltaName } from '../../ostree/delta/format.ts';
import type { DeltaPair } from '../../ostree/delta/superblock.ts';
import { openDeltaPlace, parseDeltaName, type DeltaPlace } from '../pull/delta-place.ts';
import type { Context } from './context.ts';
import { usageError } from './failure.ts';
import { addHttpOptions, transportOptions, type HttpOptions } from './http-options.ts';

export function addPlace(command: Command): void {
  command.argument('<place>', 'OSTree repository on disk or by URL, or the folder or superblock of one delta');
  addHttpOptions(command);
}

export function openPlace(place: string, options: HttpOptions): DeltaPlace {
  return openDeltaPlace(place, (url) => openHttpSource(url, transportOptions(options)));
}

/** The delta that the name means; without one, the only one of the place. @throws CfsError USAGE */
export async function onlyDelta(context: Context, place: DeltaPlace, name: string | undefined): Promise<DeltaPair> {
  if (name !== undefined) {
    const pair = parseDeltaName(name);
    if (pair === undefined) throw usageError(`'${name}' is not the name of a static delta: FROM-TO or TO`);
    return pair;
  }
  const [only, another] = await place.list(context.signal);
  if (only === undefined || another !== undefined) {
    const many =
      only === undefined
        ? 'has no static deltas'
        : `has several static deltas, such as ${deltaName(only.from, only.to)}`;
    throw usageError(`Name the delta as FROM-TO or TO: the place ${many}`);
  }
  return only;
}
