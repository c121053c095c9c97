/**
 * What a failed command says and its exit code: 1 for any failure of which no more is known, 2 for a wrong command line, and
 * from 3 on what scripts may want to tell apart.
 */
import { CfsError, type ErrorCode } from '../../bytes/errors.ts';
import { escapeControls, printableLines } from './output.ts';

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** 128 and the number of the signal. */
const EXIT_SIGINT = 130;
const EXIT_SIGTERM = 143;
export const EXIT_SIGPIPE = 141;

export type EndingSignal = 'SIGINT' | 'SIGTERM';

export function signalExitCode(signal: EndingSignal): number {
  return signal === 'SIGTERM' ? EXIT_SIGTERM : EXIT_SIGINT;
}

/** The reason of an abort by a signal. */
export class Interrupted extends CfsError {
  readonly signal: EndingSignal;

  constructor(signal: EndingSignal) {
    super('CANCELLED', 'Interrupted; what was stored so far is kept for the next time', { signal });
    this.signal = signal;
  }
}

const exitCodes: Readonly<Record<ErrorCode, number>> = {
  SYSTEM: EXIT_FAILURE,
  CONFLICT: EXIT_FAILURE,
  UNSUPPORTED: EXIT_FAILURE,
  USAGE: EXIT_USAGE,
  NOT_FOUND: 3,
  CHECKSUM: 4,
  CORRUPT: 4,
  FORMAT: 4,
  LIMIT: 4,
  PARTIAL: 4,
  FETCH: 6,
  NO_SPACE: 7,
  LOCKED: 8,
  TIMEOUT: 9,
  CANCELLED: EXIT_FAILURE,
};

/** The error for options or arguments that do not fit. */
export function usageError(message: string): CfsError {
  return new CfsError('USAGE', message);
}

/** The exit code for an error. */
export function exitCode(error: unknown): number {
  const cause = error instanceof Error && error.cause instanceof Interrupted ? error.cause : error;
  if (cause instanceof Interrupted) return signalExitCode(cause.signal);
  if (error instanceof CfsError) return exitCodes[error.code];
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return exitCodes.NO_SPACE;
  return EXIT_FAILURE;
}

function causes(error: unknown): string[] {
  const messages: string[] = [];
  for (let cause = (error as Error).cause; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  return messages;
}

/** `Error: …` and the chain of causes; as JSON one object `{"error": {code, message, causes, …facts}}`. */
export function describeFailure(error: unknown, json: boolean): string {
  const message = error instanceof Error ? error.message : String(error);
  const chain = causes(error);
  if (json) {
    const facts = error instanceof CfsError ? error.facts : {};
    const code = error instanceof Error && 'code' in error ? error.code : 'SYSTEM';
    return `${escapeControls(JSON.stringify({ error: { code, message, causes: chain, ...facts } }))}\n`;
  }
  const unexpected = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  const because = chain.length === 0 ? '' : `\n\nCaused by:\n${chain.map((text) => `    ${text}\n`).join('')}`;
  return printableLines(`Error: ${unexpected ? (error.stack ?? message) : message}${because.trimEnd()}\n`);
}

/** Says what went wrong on stderr and ends the process. */
export function fail(error: unknown, json: boolean): Promise<never> {
  process.stderr.write(describeFailure(error, json));
  return end(exitCode(error));
}

/** Ends the process once all that was written has gone out: to a slow reader of a pipe it goes piece by piece. */
export async function end(code = process.exitCode): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => {
      stream.write('', () => resolve());
    });
  }
  process.exit(code);
}
