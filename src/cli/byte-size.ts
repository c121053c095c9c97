/** Sizes on the command line. */
import { usageError } from './failure.ts';
import type { FreeSpace } from '../pull/space.ts';

const units: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** Bytes, with K, M, G or T for powers of 1024: `500K` → 512000. Undefined for anything else. */
export function parseByteSize(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)(?:([KMGT])(?:i?B)?)?$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  const bytes = Math.round(Number(number) * units[unit.toUpperCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `500M`, `5%`. @throws CfsError USAGE */
export function parseFreeSpace(text: string): FreeSpace {
  const [, percent] = /^(\d{1,2}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  if (percent !== undefined) return { percent: Number(percent) };
  const bytes = parseByteSize(text);
  if (bytes !== undefined) return { bytes };
  throw usageError(
    `--min-free-space ${text}: expected a size such as 500M or 2G, or a percentage below 100 such as 5%`,
  );
}
