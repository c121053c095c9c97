/** Runs command lines in this process, with what they write captured. */
import { mock } from 'node:test';
import { exitCode, describeFailure } from '../../src/cli/failure.ts';
import { results } from '../../src/cli/output.ts';
import { runProgram } from '../../src/cli/program.ts';

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One at a time: the output of the process is captured as a whole. */
export function run(...args: readonly string[]): Promise<Run> {
  const program = async (): Promise<number> => {
    await runProgram(args, '0.0.0');
    return Number.parseInt(`${process.exitCode}`, 10);
  };
  return captured(program, args.includes('--json'));
}

/** What `program` writes, and the code that it gives or fails with. */
export async function captured(program: () => Promise<number>, json = false): Promise<Run> {
  const written = { stdout: '', stderr: '' };
  const capture = (name: keyof typeof written) => (data: string | Uint8Array) => {
    written[name] += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    return true;
  };
  const mocks = [
    mock.method(results, 'write', capture('stdout')),
    mock.method(process.stderr, 'write', capture('stderr')),
  ];
  const { exitCode: before } = process;
  process.exitCode = 0;
  let code: number;
  try {
    code = await program();
  } catch (error) {
    code = exitCode(error);
    written.stderr += describeFailure(error, json);
  } finally {
    process.exitCode = before;
    for (const each of mocks) each.mock.restore();
    for (const name of ['SIGINT', 'SIGTERM']) process.removeAllListeners(name);
  }
  return { code, ...written };
}
