/**
 * Times the making of the static delta between the two Debian commits beside `ostree static-delta generate`, with the defaults of both,
 * on tmpfs, and compares the sizes.
 *
 *     npm run bench:delta -- [--runs N] [--json]
 *
 * The programs take turns; each writes into the same repository anew. The last delta of cfs is applied by `ostree`, with `fsck` after.
 * Input: `make-input.ts`, started here when it is missing.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { OstreeChecksum } from '../ostree/checksum.ts';
import { deltaFolder } from '../ostree/delta/format.ts';
import { readInput } from './input.ts';
import { type Cost, measure } from './measure.ts';
import { cfsPath, run } from './programs.ts';
import { formatRows } from './table.ts';

const { values: options } = parseArgs({
  options: { runs: { type: 'string', default: '3' }, json: { type: 'boolean', default: false } },
});
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs takes a whole number from 1, got ${options.runs}`);

if (readInput() === undefined) await import('./make-input.ts');
const input = readInput();
if (input === undefined) throw new Error('No input was made');
const { 'debian/1': from, 'debian/2': to } = input.refs;

const top = mkdtempSync('/dev/shm/cfs-bench-');
process.on('exit', () => rmSync(top, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const archive = join(top, basename(input.repo));
cpSync(input.repo, archive, { recursive: true });
const repo = join(top, 'repo');
run([cfsPath, '--repo', repo, 'init', '--insecure']);
for (const ref of [from, to]) run([cfsPath, '--repo', repo, '-q', 'ostree', 'pull-local', archive, ref]);

const programs: Readonly<Record<string, readonly string[]>> = {
  cfs: [cfsPath, '--repo', repo, '-q', 'ostree', 'delta', 'create', from, to, '--ostree-repo', archive],
  ostree: ['ostree', `--repo=${archive}`, 'static-delta', 'generate', `--from=${from}`, `--to=${to}`],
};
const folder = join(archive, deltaFolder(from as OstreeChecksum, to as OstreeChecksum));
const rows = Object.keys(programs).map((program) => ({ name: 'make-delta', program, costs: [] as Cost[], bytes: 0 }));
for (let turn = 1; turn <= runs; turn += 1) {
  // cfs is the last one, so that its delta is applied below.
  for (const row of rows.toReversed()) {
    rmSync(folder, { recursive: true, force: true });
    row.costs.push(measure(programs[row.program]!));
    row.bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    console.error(`${turn}/${runs} ${row.program}: ${row.costs.at(-1)!.wall.toFixed(2)} s, ${row.bytes} bytes`);
  }
}
const applied = join(top, 'applied');
run(['ostree', `--repo=${applied}`, 'init', '--mode=bare-user']);
run(['ostree', `--repo=${applied}`, 'pull-local', archive, from]);
run(['ostree', `--repo=${applied}`, 'static-delta', 'apply-offline', folder]);
run(['ostree', `--repo=${applied}`, 'fsck']);
if (options.json) {
  console.log(JSON.stringify(rows, undefined, 2));
} else {
  const [own, theirs] = rows.map(({ bytes }) => bytes) as [number, number];
  console.log(`${formatRows(rows)}\nbytes: cfs ${own}, ostree ${theirs}: ${(own / theirs).toFixed(2)}`);
}
