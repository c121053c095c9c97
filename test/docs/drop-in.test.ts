/** docs/drop-in.md beside what `cfsctl` and `cfs` say of their options. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { captured, run } from '../cli/run.ts';
import { needs, toolPath } from '../needs.ts';
import { runTool as composefsInfo } from '../../src/cli/tools/composefs-info.ts';
import { runTool as mkcomposefs } from '../../src/cli/tools/mkcomposefs.ts';
import { runTool as mountComposefs } from '../../src/cli/tools/mount-composefs.ts';

const root = join(import.meta.dirname, '../..');

interface Row {
  readonly commands: readonly string[];
  readonly options: readonly string[];
  readonly verdict: string;
}

const rows: readonly Row[] = readFileSync(join(root, 'docs/drop-in.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| (?:`|\(any\))/.test(line))
  .map((line) => {
    const [command = '', option = '', verdict = ''] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim());
    const quoted = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]*)`/g), ([, text]) => text!);
    return { commands: command === '(any)' ? ['cfsctl'] : quoted(command), options: quoted(option), verdict };
  });

/** What cfsctl 0.9.4 has: a command a line, with its options behind it. */
const listed: ReadonlyMap<string, readonly string[]> = new Map(
  readFileSync(join(root, 'fixtures/cfsctl-options.txt'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const words = line.split(' ');
      const at = words.findIndex((word) => word.startsWith('-'));
      const split = at < 0 ? words.length : at;
      return [words.slice(0, split).join(' '), words.slice(split)];
    }),
);

function commandsAndOptions(help: string): { readonly commands: string[]; readonly options: string[] } {
  const [head = '', tail = ''] = help.split('\nOptions:\n');
  const commands = head.split('\nCommands:\n')[1] ?? '';
  return {
    commands: Array.from(commands.matchAll(/^ {2}([a-z][\w-]*)/gm), ([, name]) => name!),
    options: Array.from(tail.matchAll(/^ {2,6}(-\w)?(?:, )?(--[\w-]+)?/gm), ([, short, long]) => [short, long])
      .flat()
      .filter((option) => option !== undefined && option !== '-h' && option !== '--help') as string[],
  };
}

/** Each command that `cfsctl` lists, with its options. */
function* ofCfsctl(words: readonly string[] = []): Generator<readonly [string, readonly string[]]> {
  const { stdout, stderr } = spawnSync(toolPath('cfsctl')!, [...words, '--help'], { encoding: 'utf8' });
  const { commands, options } = commandsAndOptions(stdout === '' ? stderr : stdout);
  yield [words.join(' ') || 'cfsctl', options];
  for (const command of commands) {
    if (!['help', 'oci', 'varlink'].includes(command)) yield* ofCfsctl([...words, command]);
  }
}

const tools = { mkcomposefs, 'composefs-info': composefsInfo, 'mount.composefs': mountComposefs } as const;

async function helpOf(command: string): Promise<string> {
  const [first = ''] = command.split(' ');
  if (Object.hasOwn(tools, first)) {
    const help = first === 'mount.composefs' ? '-h' : '--help';
    return (await captured(() => tools[first as keyof typeof tools](first, [help]))).stdout;
  }
  if (first === 'cfsctl' || first === 'help') return (await run('--help')).stdout;
  return (await run(...command.split(' '), '--help')).stdout + (await run('--help')).stdout;
}

/** `--insecure` in front of the command and `--foreground` are accepted and not shown. */
const hidden = new Set(['--insecure', '--foreground']);

describe('docs/drop-in.md', () => {
  it('has every command and option of cfsctl 0.9.4', () => {
    for (const [command, options] of listed) {
      const ofCommand = rows.filter(({ commands }) => commands.includes(command));
      assert.ok(ofCommand.length > 0 || listed.has(`${command} tag`), `${command} is missing`);
      const named = new Set(ofCommand.flatMap((row) => row.options));
      for (const option of options) assert.ok(named.has(option), `${command} ${option} is missing`);
    }
  });

  it('is about the commands and options that cfsctl has', { skip: needs('cfsctl') }, () => {
    const found = [...ofCfsctl(), ...Object.keys(tools).flatMap((name) => Array.from(ofCfsctl([name])))];
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(listed));
  });

  for (const { commands, options, verdict } of rows) {
    it(`says of ${[...commands, ...options].join(' ')} that it is ${verdict}`, async () => {
      assert.match(verdict, /^(same|better|different)$/);
      if (verdict === 'different') return;
      for (const command of commands) {
        const help = await helpOf(command);
        if (!Object.hasOwn(tools, command.split(' ')[0]!) && command !== 'cfsctl' && command !== 'help') {
          assert.match(help, new RegExp(`^Usage: cfs ${command}\\b`));
        }
        for (const option of options) {
          const name = option.replace(/^-o (?=.)/, '');
          if (!hidden.has(name))
            assert.match(help, new RegExp(`(^|[\\s,[])${name}${name.endsWith('=') ? '' : '(?![\\w-])'}`, 'm'), option);
        }
      }
    });
  }
});
