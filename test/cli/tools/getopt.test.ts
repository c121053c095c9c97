/** Answers are those of glibc's `getopt_long` for the same table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCommandLine } from '../../../src/cli/tools/getopt.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';

const table = { basedir: 'value', filter: 'value', flag: 'flag', fly: 'flag', h: 'flag', o: 'value' } as const;

function describe(args: readonly string[]): string {
  const { options, operands, problem } = parseCommandLine(args, table);
  const parts = options.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
  return [...parts, ...operands.map((each) => `[${each}]`), ...(problem ? [problem.message] : [])].join(' ');
}

const rows: readonly (readonly [line: string, answer: string])[] = [
  ['', ''],
  ['a --flag b', 'flag [a] [b]'],
  ['--basedir=x --basedir y', 'basedir=x basedir=y'],
  ['--basedir= z', 'basedir= [z]'],
  ['--ba x', 'basedir=x'],
  ['--fla', 'flag'],
  ['a --basedir -- b', 'basedir=-- [a] [b]'],
  ['--flag -- --flag -h', 'flag [--flag] [-h]'],
  ['-', '[-]'],
  ['-hoa b -- -h', 'h o=a [b] [-h]'],
  ['-o a -h', 'o=a h'],
  ['--fl', "option '--fl' is ambiguous; possibilities: '--flag' '--fly'"],
  ['--=x', "option '--=x' is ambiguous; possibilities: '--basedir' '--filter' '--flag' '--fly'"],
  ['--fla=3', "option '--flag' doesn't allow an argument"],
  ['--zz=5 --flag', "unrecognized option '--zz=5'"],
  ['--h', "unrecognized option '--h'"],
  ['--based', "option '--basedir' requires an argument"],
  ['-hx', "h invalid option -- 'x'"],
  ['-ho', "h option requires an argument -- 'o'"],
];

for (const [line, answer] of rows) {
  test(`parseCommandLine() reads '${line}' as getopt_long does`, () => {
    assert.equal(describe(line.split(' ').filter((each) => each !== '')), answer);
  });
}

test('parseCommandLine() says whether an option is unknown or lacks its value', () => {
  assert.equal(parseCommandLine(['--nope'], table).problem?.kind, 'unknown');
  assert.equal(parseCommandLine(['-o'], table).problem?.kind, 'no value');
});

test('parseCommandLine() keeps the order of operands, and reads them again as what they are', () => {
  const word = fc.constantFrom<string[]>(
    '--flag',
    '--fl',
    '--basedir',
    '--basedir=v',
    '-h',
    '-o',
    '-ov',
    '--',
    '-',
    'a',
    '',
    '--x',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      const { operands, problem } = parseCommandLine(args, table);
      if (problem !== undefined) return;
      const again = parseCommandLine(['--', ...operands], table);
      assert.deepEqual(again, { options: [], operands, problem: undefined });
      let at = 0;
      for (const operand of operands) at = args.indexOf(operand, at) + 1;
      assert.ok(operands.length === 0 || at > 0);
    }),
    { numRuns: fuzzRuns },
  );
});
