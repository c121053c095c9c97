/**
 * The program's entry: which program it was called as, the command line, signals and the exit code.
 *
 * A command's file is loaded when the command is dispatched, so that a run pays for no other command.
 */
import { basename } from 'node:path';
import { packageVersion } from '../../ostree/version.ts';
import { end, fail } from './failure.ts';
import type { ToolFile } from './tools/tool.ts';

/** The programs this one is a drop-in for, by the name it is called by or by its first argument. */
const tools: ReadonlyMap<string, () => Promise<ToolFile>> = new Map([
  ['mkcomposefs', () => import('./tools/mkcomposefs.ts')],
]);

/** Drop-ins that are not there yet. */
const missingTools: ReadonlySet<string> = new Set(['composefs-info', 'mount.composefs']);

async function main(args: readonly string[]): Promise<void> {
  const calledAs = basename(process.env['CFS_CALLED_AS'] ?? 'cfs');
  delete process.env['CFS_CALLED_AS'];
  const name = [calledAs, args[0]].find((each) => each !== undefined && (tools.has(each) || missingTools.has(each)));
  if (name !== undefined) {
    const load = tools.get(name);
    if (load === undefined) {
      const { UnsupportedError } = await import('../../bytes/errors.ts');
      throw new UnsupportedError(`'${name}' is not part of this version of cfs; install the composefs tools for it`);
    }
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
