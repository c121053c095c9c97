/** `cfs ostree delta show PLACE [DELTA]`: what a static delta holds, as `ostree static-delta show` tells it. */
import type { Command } from 'commander';
import { print } from '../../gvariant/src/print.ts';
import type { DeltaPart, Superblock } from '../../ostree/delta/superblock.ts';
import { inspectPart, type PartContents } from '../pull/delta-inspect.ts';
import { readSuperblock } from '../pull/delta-place.ts';
import { action, examples, type Context } from './context.ts';
import { addPlace, onlyDelta, openPlace } from './delta-argument.ts';
import type { HttpOptions } from './http-options.ts';
import { writeJson, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';

export function define(command: Command): void {
  addPlace(command);
  command.argument('[delta]', 'FROM-TO or TO, if the place has several');
  examples(
    command,
    'cfs ostree delta show /mnt/usb/os-1-2.delta',
    'cfs --json ostree delta show https://example.org/repo 89f78d…-9e6683…',
  );
  action(command, run);
}

async function run(context: Context, path: string, name: string | undefined, options: HttpOptions): Promise<void> {
  using place = openPlace(path, options);
  const superblock = await readSuperblock(place, await onlyDelta(context, place, name), context.signal);
  const contents: PartContents[] = [];
  for (const part of superblock.parts) {
    contents.push(await inspectPart(place.deltas, superblock, part, context.signal));
  }
  if (context.json) writeJson(deltaJson(superblock, contents));
  else for (const line of describe(superblock, contents)) writeLine(line);
}

function deltaJson(superblock: Superblock, contents: readonly PartContents[]): object {
  const { parts, fallbacks, signatures, metadata } = superblock;
  return {
    delta: superblock.name,
    signed: signatures !== undefined,
    from: superblock.from,
    to: superblock.to,
    endianness: superblock.byteOrder,
    timestamp: superblock.timestamp,
    metadata: Object.fromEntries(
      metadata
        .filter(([, { type }]) => type !== '(yay)')
        .map(([key, { type, value }]) => [key, print(type, value as never)]),
    ),
    fallbacks: fallbacks.map(({ type, checksum, size, unpackedSize }) => ({
      type,
      checksum,
      size,
      usize: unpackedSize,
    })),
    parts: parts.map(({ digest, size, unpackedSize, objects, inline }, i) => ({
      checksum: digest,
      inline: inline !== undefined,
      objects: objects.length,
      size,
      usize: unpackedSize,
      modes: contents[i]!.modes,
      xattrs: contents[i]!.xattrs,
      blob_size: contents[i]!.blobSize,
      operations_size: contents[i]!.operationsSize,
      operations: contents[i]!.operations,
    })),
  };
}

function describe(superblock: Superblock, contents: readonly PartContents[]): string[] {
  const { parts, fallbacks } = superblock;
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  const total = (what: string, size: number): string => `${what}: ${size} (${formatBytes(size)})`;
  const partSize = sum(parts.map(({ size }) => size));
  const partUnpacked = sum(parts.map(({ unpackedSize }) => unpackedSize));
  const fallbackSize = sum(fallbacks.map(({ size }) => size));
  const fallbackUnpacked = sum(fallbacks.map(({ unpackedSize }) => unpackedSize));
  return [
    `Delta: ${superblock.name}`,
    `Signed: ${superblock.signatures === undefined ? 'no' : 'yes'}`,
    superblock.from === undefined ? 'From <scratch>' : `From: ${superblock.from}`,
    `To: ${superblock.to}`,
    `Endianness: ${superblock.byteOrder}`,
    `Timestamp: ${superblock.timestamp}`,
    `Number of fallback entries: ${fallbacks.length}`,
    total('Total Fallback Size', fallbackSize),
    total('Total Fallback Uncompressed Size', fallbackUnpacked),
    `Number of parts: ${parts.length}`,
    ...parts.flatMap((part, i) => describePart(part, contents[i]!)),
    total('Total Part Size', partSize),
    total('Total Part Uncompressed Size', partUnpacked),
    total('Total Size', partSize + fallbackSize),
    total('Total Uncompressed Size', partUnpacked + fallbackUnpacked),
  ];
}

function describePart({ index: i, objects, size, unpackedSize }: DeltaPart, contents: PartContents): string[] {
  const { modes, xattrs, blobSize, operationsSize, operations } = contents;
  const counts = [
    `openspliceclose=${operations['splice metadata'] + operations['splice file']}`,
    `open=${operations.open}`,
    `write=${operations.write}`,
    `setread=${operations['set read source']}`,
    `unsetread=${operations['unset read source']}`,
    `close=${operations.close}`,
    `bspatch=${operations.bspatch}`,
  ];
  return [
    `PartMeta${i}: nobjects=${objects.length} size=${size} usize=${unpackedSize}`,
    `PartPayload${i}: nmodes=${modes} nxattrs=${xattrs} blobsize=${blobSize} opsize=${operationsSize}`,
    `PartPayloadOps${i}: ${counts.join(' ')}`,
  ];
}
