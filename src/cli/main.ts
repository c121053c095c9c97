/**
 * The program's entry: which program it was called as, the command line, signals and the exit code.
 *
 * A command's file is loaded when the command is dispatched, so that a run pays for no other command.
 */
import { basename } from 'node:path';
import { packageVersion } from '../../ostree/version.ts';
import { end, fail } from './failure.ts';

/** The programs this one is a drop-in for, by the name it is called by or by its first argument. */
const otherPrograms: ReadonlySet<string> = new Set(['mkcomposefs', 'composefs-info', 'mount.composefs']);

async function main(args: readonly string[]): Promise<void> {
  const calledAs = basename(process.env['CFS_CALLED_AS'] ?? 'cfs');
  delete process.env['CFS_CALLED_AS'];
  const other = [calledAs, args[0]].find((name) => name !== undefined && otherPrograms.has(name));
  if (other !== undefined) {
    const { UnsupportedError } = await import('../../bytes/errors.ts');
    throw new UnsupportedError(`'${other}' is not part of this version of cfs; install the composefs tools for it`);
  }
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.stdout.write(`cfs ${packageVersion()}\n`);
    return;
  }
  const { runProgram } = await import('./program.ts');
  await runProgram(args, packageVersion());
}

/** A reader that goes away (`cfs … | head`) ends the program quietly, as it does others. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await main(process.argv.slice(2));
  // What is left is for the system to free, which it does faster than Node.
  await end();
} catch (error) {
  await fail(error, process.argv.includes('--json'));
}
