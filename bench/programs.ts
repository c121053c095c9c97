/** The programs that are compared, each as the command lines that do the same work. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Program {
  readonly name: string;
  /** Makes an empty repository. */
  init(repo: string): readonly string[];
  /** Pulls `what` (a ref or a commit checksum) from the OSTree repository `source`. */
  pull(repo: string, source: string, what: string): readonly string[];
  /** What has to be said before a pull from a server. */
  addRemote(repo: string, url: string): readonly (readonly string[])[];
  /** Pulls objects, not deltas, from a server. */
  pullRemote(repo: string, url: string, what: string): readonly string[];
  /** Pulls the ref `what` from a server by a static delta from the ref `base`, which is stored. */
  pullDelta(repo: string, url: string, what: string, base: string): readonly string[];
}

export const cfsPath = join(import.meta.dirname, '../cfs');

function composefs(name: string, path: string): Program {
  return {
    name,
    init: (repo) => [path, '--repo', repo, 'init', '--algorithm', 'fsverity-sha256-12', '--insecure'],
    pull: (repo, source, what) => [path, '--repo', repo, 'ostree', 'pull-local', source, what],
    addRemote: () => [],
    pullRemote: (repo, url, what) => [path, '--repo', repo, 'ostree', 'pull', '--no-delta', url, what],
    pullDelta: (repo, url, what, base) => [path, '--repo', repo, 'ostree', 'pull', '--base-name', base, url, what],
  };
}

const ostree: Program = {
  name: 'ostree',
  init: (repo) => ['ostree', `--repo=${repo}`, 'init', '--mode=bare-user'],
  pull: (repo, source, what) => ['ostree', `--repo=${repo}`, 'pull-local', source, what],
  addRemote: (repo, url) => [['ostree', `--repo=${repo}`, 'remote', 'add', '--no-gpg-verify', 'origin', url]],
  pullRemote: (repo, _url, what) => ['ostree', `--repo=${repo}`, 'pull', '--disable-static-deltas', 'origin', what],
  pullDelta: (repo, _url, what) => ['ostree', `--repo=${repo}`, 'pull', '--require-static-deltas', 'origin', what],
};

/** The path of a program on PATH or among those of cargo. */
export function find(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), join(homedir(), '.cargo/bin')];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** `cfs` of this clone, `ostree`, and `cfsctl` where it is installed. */
export function programs(): readonly Program[] {
  const cfsctl = find('cfsctl');
  if (cfsctl === undefined) console.error('cfsctl is not installed: its rows are left out.');
  return [composefs('cfs', cfsPath), ostree, ...(cfsctl === undefined ? [] : [composefs('cfsctl', cfsctl)])];
}

/** Runs a command that is not measured, and gives what it printed. */
export function run(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 });
}
