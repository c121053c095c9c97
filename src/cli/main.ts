/**
 * The program's entry: which program it was called as, the command line, signals and the exit code.
 *
 * A command's file is loaded when the command is dispatched, so that a run pays for no other command.
 */
import { writeSync } from 'node:fs';
import { basename } from 'node:path';
import { packageVersion } from '../../ostree/version.ts';
import { CfsError } from '../../bytes/errors.ts';
import { describeFailure, end, exitCode, EXIT_SIGPIPE, fail } from './failure.ts';
import type { ToolFile } from './tools/tool.ts';

/** The programs this one is a drop-in for, by the name it is called by or by its first argument. */
const tools: ReadonlyMap<string, () => Promise<ToolFile>> = new Map([
  ['mkcomposefs', () => import('./tools/mkcomposefs.ts')],
  ['composefs-info', () => import('./tools/composefs-info.ts')],
  ['mount.composefs', () => import('./tools/mount-composefs.ts')],
]);

async function main(args: readonly string[]): Promise<void> {
  const calledAs = basename(process.env['CFS_CALLED_AS'] ?? 'cfs');
  delete process.env['CFS_CALLED_AS'];
  const name = [calledAs, args[0]].find((each) => each !== undefined && tools.has(each));
  const load = name === undefined ? undefined : tools.get(name);
  if (name !== undefined && load !== undefined) {
    const tool = await load();
    process.exitCode = await tool.runTool(name, name === calledAs ? args : args.slice(1));
    return;
  }
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.stdout.write(`cfs ${packageVersion()}\n`);
    return;
  }
  const { runProgram } = await import('./program.ts');
  await runProgram(args, packageVersion());
}

const isJson = process.argv.includes('--json');

/**
 * A reader that goes away (`cfs … | head`) ends the program quietly, as SIGPIPE ends others: what the reader asked for last was not
 * delivered, so it is no success. Any other failure to write results is an error like all.
 */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT_SIGPIPE);
  writeSync(2, describeFailure(new CfsError('SYSTEM', 'Cannot write the result', {}, error), isJson));
  process.exit(exitCode(error));
});
// Nobody hears what is said there; the work goes on.
process.stderr.on('error', () => undefined);

try {
  await main(process.argv.slice(2));
  // What is left is for the system to free, which it does faster than Node.
  await end();
} catch (error) {
  await fail(error, isJson);
}
