/**
 * Times pulls of a whole Debian system beside `ostree` and `cfsctl`, from disk and from a server, on tmpfs so that no disk takes part.
 *
 *     npm run bench -- [--runs N] [--only NAME] [--json]
 *
 * The programs take turns, each run has a new destination, and the median of each figure is shown. Nothing is asserted.
 * Input: `make-input.ts`, started here when it is missing.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readInput } from './input.ts';
import { type Cost, measure } from './measure.ts';
import { cfsPath, type Program, programs, run } from './programs.ts';
import { prepareArchive, pullFromServer, type Server, startServer, updateFromServer } from './pull-http.ts';
import { mountReflinkDisk } from './reflink-disk.ts';
import { formatRows, type Row } from './table.ts';

interface Place {
  /** The archive repository, on tmpfs. */
  readonly archive: string;
  /** An empty folder of this run; removed after it. */
  readonly scratch: string;
}

interface Case {
  readonly name: string;
  /** Only these programs; all if left out. */
  readonly only?: string;
  /** Prepares what is not measured and gives the command that is. */
  prepare(program: Program, place: Place): readonly string[];
}

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs takes a whole number from 1, got ${options.runs}`);

function newRepo(program: Program, place: Place, ...pulled: string[]): string {
  const repo = join(place.scratch, 'repo');
  run(program.init(repo));
  for (const ref of pulled) run(program.pull(repo, place.archive, ref));
  return repo;
}

/** Where the reflink cases work, once mounted. */
let disk = '';

/** A new repository on the reflinking disk, and a pull into it from `source` there. */
function pullOnDisk(program: Program, source: string): readonly string[] {
  const repo = join(disk, 'destination');
  rmSync(repo, { recursive: true, force: true });
  run(program.init(repo));
  run(['sync', '-f', disk]);
  return program.pull(repo, join(disk, source), 'debian/1');
}

const onTmpfs: readonly Case[] = [
  { name: 'version', only: 'cfs', prepare: () => [cfsPath, '--version'] },
  {
    name: 'pull',
    prepare: (program, place) => program.pull(newRepo(program, place), place.archive, 'debian/1'),
  },
  {
    name: 'pull-again',
    prepare: (program, place) => program.pull(newRepo(program, place, 'debian/1'), place.archive, 'debian/1'),
  },
  {
    name: 'update',
    prepare: (program, place) => program.pull(newRepo(program, place, 'debian/1'), place.archive, 'debian/2'),
  },
  {
    name: 'create-image',
    only: 'cfs',
    prepare: (program, place) => {
      const repo = newRepo(program, place, 'debian/1');
      return [cfsPath, '--repo', repo, 'ostree', 'create-image', input.refs['debian/1']];
    },
  },
];
/** Where the commits are served, once they are. */
let server: Server | undefined;

/** Checksum of a commit with the tree of `debian/2` and no parent: nothing but the objects tells what it has to do with `debian/1`. */
let alone = '';

/** Pulls by checksum, so that no ref tells what is stored either. */
function httpCase(name: string, place: 'url' | 'distantUrl', what: () => string, stored?: string): Case {
  return {
    name,
    prepare: (program, { scratch }) => pullFromServer(program, join(scratch, 'repo'), server![place], what(), stored),
  };
}
const overHttp: readonly Case[] = [
  httpCase('http-pull', 'url', () => input.refs['debian/1']),
  httpCase('http-20ms-pull', 'distantUrl', () => input.refs['debian/1']),
  httpCase('http-update', 'url', () => alone, 'debian/1'),
  {
    name: 'http-delta',
    prepare: (program, { scratch }) =>
      updateFromServer(program, join(scratch, 'repo'), server!.url, 'debian/2', 'debian/1'),
  },
];
const onDisk: readonly Case[] = [
  { name: 'xfs-archive', prepare: (program) => pullOnDisk(program, 'archive') },
  { name: 'xfs-bare-user', prepare: (program) => pullOnDisk(program, 'bare-user') },
];

if (readInput() === undefined) await import('./make-input.ts');
const found = readInput();
if (found === undefined) throw new Error('No input was made');
const input = found;

const wanted = (entry: Case): boolean => options.only === undefined || entry.name.startsWith(options.only);
const compared = programs();
const top = mkdtempSync('/dev/shm/cfs-bench-');
const archive = join(top, basename(input.repo));
const rows = new Map<string, Row>();

function runCases(cases: readonly Case[]): void {
  for (let turn = 1; turn <= runs; turn += 1) {
    for (const entry of cases) {
      for (const program of compared) {
        if (entry.only !== undefined && entry.only !== program.name) continue;
        const cost = runOnce(entry, program);
        const key = `${entry.name} ${program.name}`;
        const row = rows.get(key) ?? { name: entry.name, program: program.name, costs: [] };
        rows.set(key, { ...row, costs: [...row.costs, cost] });
        console.error(`${turn}/${runs} ${key}: ${cost.wall.toFixed(2)} s`);
      }
    }
  }
}

function runOnce(entry: Case, program: Program): Cost {
  const scratch = join(top, 'scratch');
  mkdirSync(scratch);
  try {
    return measure(entry.prepare(program, { archive, scratch }));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

process.on('exit', () => rmSync(top, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
cpSync(input.repo, archive, { recursive: true });
runCases(onTmpfs.filter(wanted));
if (overHttp.some(wanted)) {
  alone = prepareArchive(archive);
  const started = await startServer(top, archive);
  server = started;
  process.prependListener('exit', () => started[Symbol.dispose]());
  runCases(overHttp.filter(wanted));
}
if (process.getuid?.() !== 0) {
  console.error('Not root: the rows on a reflinking disk are left out.');
} else if (onDisk.some(wanted)) {
  using mounted = mountReflinkDisk(top);
  disk = mounted.path;
  cpSync(archive, join(disk, 'archive'), { recursive: true });
  run(['ostree', `--repo=${join(disk, 'bare-user')}`, 'init', '--mode=bare-user']);
  run(['ostree', `--repo=${join(disk, 'bare-user')}`, 'pull-local', archive, 'debian/1']);
  runCases(onDisk.filter(wanted));
}
const measured = Array.from(rows.values());
console.log(options.json ? JSON.stringify(measured, undefined, 2) : formatRows(measured));
