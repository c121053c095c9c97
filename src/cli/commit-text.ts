/** Parts of commits as text. */
import { print } from '../../gvariant/src/print.ts';
import type { Variant } from '../../gvariant/src/value.ts';

/** Strings as they are, arrays of strings without quotes, anything else as GVariant text. */
export function metadataText({ type, value }: Variant): string {
  if (type === 's') return value as string;
  if (type === 'as') return `[${[...(value as Iterable<string>)].join(', ')}]`;
  return print(type, value as never, { annotate: false });
}

/** `2023-11-17 22:13:20` and `zone`, or the bare number of seconds where there is no such date. */
export function dateText(timestamp: bigint, zone: 'UTC' | '+0000'): string {
  const date = new Date(Number(timestamp) * 1000);
  if (Number.isNaN(date.getTime())) return String(timestamp);
  return date.toISOString().replace('T', ' ').replace('.000Z', ` ${zone}`);
}
