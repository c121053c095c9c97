/**
 * Makes static deltas between both commits of the benchmark's input by the real `ostree`, with each of its options, pulls them from
 * nginx, and applies them from a file: each gives the image of the plain pull. Needs nginx. Exits 1 at the first difference.
 *
 *     npm run bench:verify-deltas
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readInput } from './input.ts';
import { startNginx } from './nginx.ts';
import { cfsPath, run } from './programs.ts';

const variants: Readonly<Record<string, readonly string[]>> = {
  'default options': [],
  'parts in the superblock': ['--inline'],
  'no patches': ['--disable-bsdiff'],
  'patches of all files': ['--max-bsdiff-size=1024'],
  'no fallback objects': ['--min-fallback-size=0'],
  'tiny parts': ['--max-chunk-size=1'],
  'one part': ['--max-chunk-size=1024'],
  'the other byte order': ['--swap-endianness'],
};

const input = readInput();
if (input === undefined) throw new Error('there is no input yet: run npm run bench once');
const top = mkdtempSync(join(tmpdir(), 'cfs-verify-'));
const archive = join(top, 'archive');
const base = join(top, 'base');
const repo = join(top, 'repo');

function ostree(...args: readonly string[]): void {
  run(['ostree', `--repo=${archive}`, ...args]);
}

/** Runs cfs on a repository in which debian/1 is stored, and gives the image that came of it. */
function imageOf(...args: readonly string[]): string {
  rmSync(repo, { recursive: true, force: true });
  // Links do: nothing that is stored is written to again.
  run(['cp', '-al', base, repo]);
  const { image } = JSON.parse(run([cfsPath, '--repo', repo, '-q', '--json', 'ostree', ...args])) as { image: string };
  return image;
}

try {
  cpSync(input.repo, archive, { recursive: true });
  run([cfsPath, '--repo', base, 'init', '--algorithm', 'fsverity-sha256-12', '--insecure']);
  run([cfsPath, '--repo', base, '-q', 'ostree', 'pull-local', archive, 'debian/1']);
  const plain = imageOf('pull-local', archive, 'debian/2');
  using nginx = await startNginx({ folder: join(top, 'nginx'), root: archive });
  for (const [what, options] of Object.entries(variants)) {
    const generate = ['static-delta', 'generate', '--from=debian/1', '--to=debian/2', ...options];
    const file = join(top, 'file.delta');
    rmSync(join(archive, 'deltas'), { recursive: true, force: true });
    ostree(...generate);
    ostree('summary', '--update');
    ostree(...generate, `--filename=${file}`);
    assert.equal(imageOf('pull', '--require-deltas', '--base-name', 'debian/1', nginx.url, 'debian/2'), plain, what);
    assert.equal(imageOf('apply-delta', file, '--reference', 'debian/2'), plain, what);
    console.log(`${what}: the image of the plain pull, from nginx and from a file`);
  }
} finally {
  rmSync(top, { recursive: true });
}
