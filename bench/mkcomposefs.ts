/**
 * Times `mkcomposefs --from-file` of cfs, as a whole process, on dumps of two sizes: that of the first Debian commit, and a generated one
 * of 2,000,000 entries. Beside it the C program, where it is installed.
 *
 *     npm run bench:mkcomposefs -- [--runs N] [--entries N]
 *
 * Input: `make-input.ts`, started here when it is missing.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readInput } from './input.ts';
import { type Cost, measure } from './measure.ts';
import { cfsPath, find, run } from './programs.ts';
import { formatRows } from './table.ts';

const { values: options } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, entries: { type: 'string', default: '2000000' } },
});
const whole = (name: 'runs' | 'entries'): number => {
  const value = Number(options[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1`);
  return value;
};
const [runs, entries] = [whole('runs'), whole('entries')];

if (readInput() === undefined) await import('./make-input.ts');
const input = readInput();
if (input === undefined) throw new Error('No input was made');

const top = mkdtempSync('/var/tmp/cfs-bench-');
process.on('exit', () => rmSync(top, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

/** Directories of 99 files, each with a digest of its own. */
function generate(path: string): void {
  const fd = openSync(path, 'w');
  writeSync(fd, '/ 4096 40755 3 0 0 0 0.0 - - -\n');
  for (let made = 1; made < entries;) {
    const folder = `/d${made}`;
    const lines = [`${folder} 4096 40755 2 0 0 0 ${1_700_000_000 + made}.0 - - -\n`];
    for (made++; lines.length < 100 && made < entries; made++) {
      const digest = made.toString(16).padStart(8, '0').repeat(8);
      const payload = `${digest.slice(0, 2)}/${digest.slice(2)}`;
      lines.push(`${folder}/file-${made} ${made} 100644 1 0 0 0 1700000000.0 ${payload} - ${digest}\n`);
    }
    writeSync(fd, lines.join(''));
  }
  closeSync(fd);
}

const repo = join(top, 'repo');
const cfs = (...args: readonly string[]): string => run([cfsPath, '--repo', repo, '-q', ...args]);
cfs('init', '--insecure', '--algorithm', 'fsverity-sha256-12');
cfs('ostree', 'pull-local', input.repo, 'debian/1');
const [small, large] = [join(top, 'debian'), join(top, 'generated')];
writeFileSync(small, cfs('ostree', 'dump', 'debian/1'));
generate(large);

const reference = find('mkcomposefs');
const programs: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ['cfs', [cfsPath, 'mkcomposefs']],
  ...(reference === undefined ? [] : [['mkcomposefs', [reference]] as const]),
];
const rows = [small, large].flatMap((dump) =>
  programs.map(([program, argv]) => {
    const costs: Cost[] = [];
    for (let i = 0; i < runs; i++) costs.push(measure([...argv, '--from-file', dump, join(top, 'image')]));
    return { name: dump === small ? 'dump of Debian' : `${entries} entries`, program, costs };
  }),
);
console.log(formatRows(rows));
