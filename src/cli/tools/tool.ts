/** What the programs have in common that cfs also is: mkcomposefs, composefs-info, mount.composefs. */
import { strerror } from '../../linux/libc.ts';
import { CfsError } from '../../../bytes/errors.ts';

/** What the file of such a program exports. */
export interface ToolFile {
  /**
   * Runs the program.
   *
   * @param calledAs its name, for messages.
   * @param args what follows the name on the command line.
   * @returns the exit code.
   */
  runTool(calledAs: string, args: readonly string[]): Promise<number>;
}

/** Ends a tool with code 1 once the message, which ends with its last line feed, is on stderr. */
export class ToolFailure extends Error {}

/** What is wrong, as C programs say it: the C library's words for an error of the system. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof CfsError || !('errno' in error) || typeof error.errno !== 'number') return error.message;
  return strerror(Math.abs(error.errno));
}

/** Gives the result of `run`; a `ToolFailure` goes to stderr and becomes exit code 1. */
export async function exitCodeOf(run: () => Promise<void>): Promise<number> {
  try {
    await run();
    return 0;
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    process.stderr.write(error.message);
    return 1;
  }
}
