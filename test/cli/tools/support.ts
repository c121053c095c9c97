/** Runs the other programs that cfs is, in this process. */
import { mock } from 'node:test';
import { results } from '../../../src/cli/output.ts';
import type { ToolFile } from '../../../src/cli/tools/tool.ts';

export interface ToolRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One at a time: the output of the process is captured as a whole. */
export async function runTool(tool: ToolFile, calledAs: string, ...args: readonly string[]): Promise<ToolRun> {
  const written = { stdout: '', stderr: '' };
  const capture = (name: keyof typeof written) => (data: string | Uint8Array) => {
    written[name] += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    return true;
  };
  const mocks = [
    mock.method(results, 'write', capture('stdout')),
    mock.method(process.stderr, 'write', capture('stderr')),
  ];
  try {
    const code = await tool.runTool(calledAs, args);
    return { code, ...written };
  } finally {
    for (const each of mocks) each.mock.restore();
  }
}
