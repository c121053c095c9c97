/** Results on stdout: lines, JSON and tables. Notes and progress go to stderr and are not here. */
import { once } from 'node:events';

/** Where results go. A pipe takes them piece by piece: the process ends by `end` of failure.ts, which waits for that. */
export const results = {
  /** @returns false if a slow reader should be waited for. */
  write(data: string | Uint8Array): boolean {
    return process.stdout.write(data);
  },
};

export function writeOut(data: string | Uint8Array): void {
  results.write(data);
}

/** A piece of something large: waits for a reader that is slower. */
export async function writeChunk(data: Uint8Array): Promise<void> {
  if (!results.write(data)) await once(process.stdout, 'drain');
}

export function writeLine(line: string): void {
  writeOut(`${line}\n`);
}

/** Pretty-printed, bigints as numbers where they are exact and as text where not. */
export function writeJson(value: unknown): void {
  const replacer = (_: string, each: unknown): unknown => {
    if (typeof each !== 'bigint') return each;
    return Number.isSafeInteger(Number(each)) ? Number(each) : String(each);
  };
  writeLine(escapeControls(JSON.stringify(value, replacer, 2)));
}

/** A table with a frame on a terminal; piped, columns by two spaces, so that `awk` and `grep` work on it. */
export function writeTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, i) => rows.reduce((width, row) => Math.max(width, row[i]!.length), title.length));
  const pad = (row: readonly string[]): string[] => row.map((cell, i) => cell.padEnd(widths[i]!));
  if (!process.stdout.isTTY) {
    for (const row of [head, ...rows]) writeLine(pad(row).join('  ').trimEnd());
    return;
  }
  const rule = (left: string, fill: string, middle: string, right: string): string =>
    left + widths.map((width) => fill.repeat(width + 2)).join(middle) + right;
  const line = (row: readonly string[]): string => `│ ${pad(row).join(' ┆ ')} │`;
  writeLine(rule('┌', '─', '┬', '┐'));
  writeLine(line(head));
  writeLine(rule('╞', '═', '╪', '╡'));
  for (const row of rows) writeLine(line(row));
  writeLine(rule('└', '─', '┴', '┘'));
}

/** JSON with the control characters escaped that JSON lets through but terminals obey. */
export function escapeControls(json: string): string {
  return json.replaceAll(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** Lines of a message that may hold names of unknown origin, each terminal-safe. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** A name or message of unknown origin as one terminal-safe line. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- those are what is replaced
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
