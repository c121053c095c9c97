/**
 * Makes the real input of the benchmarks, once: an `archive` repository with two commits of a Debian system.
 *
 *     sudo node bench/make-input.ts            # into ${CFS_BENCH_DIR:-/var/tmp/cfs-bench}
 *
 * `debian/1` is what debootstrap installs (about 20,000 files, 1 GB). `debian/2`, its child, looks like an upgrade of it.
 * Which files change depends on their paths alone, so the same packages give the same second commit.
 * The checksums of both are in `input.json`, for pulls by checksum. Needs root, debootstrap and ostree.
 */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { benchDir, type BenchInput, readInput } from './input.ts';

const suite = 'bookworm';
const packages = ['python3', 'perl', 'git', 'gcc', 'systemd', 'vim', 'cmake', 'iputils-ping', 'linux-image-amd64'];
/** What differs between two installations of the same packages, or holds downloads only. */
const volatile = [
  'var/cache/apt',
  'var/cache/ldconfig',
  'var/lib/apt/lists',
  'var/log',
  'etc/machine-id',
  'etc/resolv.conf',
  'etc/hostname',
  'debootstrap',
];

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });
}

function install(tree: string): void {
  fs.rmSync(tree, { recursive: true, force: true });
  console.error(`Installing ${suite} into ${tree} with debootstrap (some minutes) …`);
  run('debootstrap', '--variant=minbase', `--include=${packages.join(',')}`, suite, tree);
  for (const path of volatile) fs.rmSync(join(tree, path), { recursive: true, force: true });
  for (const name of fs.readdirSync(join(tree, 'boot'))) {
    if (name.startsWith('initrd')) fs.rmSync(join(tree, 'boot', name));
  }
  // OSTree holds files, symlinks and directories; device nodes, sockets and pipes are not for it.
  for (const name of fs.readdirSync(join(tree, 'dev'))) fs.rmSync(join(tree, 'dev', name), { recursive: true });
  for (const name of ['proc', 'sys', 'run', 'tmp']) {
    for (const entry of fs.readdirSync(join(tree, name))) fs.rmSync(join(tree, name, entry), { recursive: true });
  }
}

/** A number in [0, 1) that depends on `path` only. */
function chance(path: string): number {
  return createHash('sha256').update(path).digest().readUInt32BE() / 2 ** 32;
}

/** The regular files below `folder`, in byte order of their names; symlinks are never followed (some lead out of the tree). */
function* files(folder: string): Generator<string> {
  const entries = fs.readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) yield path;
  }
}

/** Of 1,000 regular files 50 get other bytes, 10 go, 10 get a newer sibling, 20 change mode only. */
function upgrade(tree: string): void {
  for (const path of Array.from(files(tree))) {
    const place = chance(path.slice(tree.length));
    if (place < 0.05) {
      const bytes = fs.readFileSync(path);
      for (let at = 0; at < bytes.length; at += 65536) bytes[at] = (bytes[at] ?? 0) ^ 0x01;
      fs.writeFileSync(path, Buffer.concat([bytes, Buffer.from('# upgraded\n')]));
    } else if (place < 0.06) {
      fs.rmSync(path);
    } else if (place < 0.07) {
      fs.writeFileSync(`${path}.new`, `added beside ${path.slice(tree.length)}\n`);
    } else if (place < 0.09) {
      fs.chmodSync(path, fs.statSync(path).mode ^ 0o004);
    }
  }
}

function commit(repo: string, tree: string, ref: string, date: string, parent?: string): string {
  console.error(`Committing ${ref} …`);
  const ancestry = parent === undefined ? [] : [`--parent=${parent}`];
  const options = [`--repo=${repo}`, `--branch=${ref}`, `--subject=${ref}`, `--timestamp=${date}`, ...ancestry];
  return run('ostree', 'commit', ...options, '--no-bindings', `--tree=dir=${tree}`).trim();
}

const have = readInput();
if (have !== undefined) {
  console.log(`Already there: ${have.repo}`);
} else {
  const tree = join(benchDir, 'tree');
  const repo = join(benchDir, 'archive');
  fs.mkdirSync(benchDir, { recursive: true });
  fs.rmSync(repo, { recursive: true, force: true });
  install(tree);
  run('ostree', `--repo=${repo}`, 'init', '--mode=archive');
  const first = commit(repo, tree, 'debian/1', '2025-01-01T00:00:00Z');
  upgrade(tree);
  const second = commit(repo, tree, 'debian/2', '2025-02-01T00:00:00Z', first);
  fs.rmSync(tree, { recursive: true });
  const input: BenchInput = { repo, refs: { 'debian/1': first, 'debian/2': second } };
  fs.writeFileSync(join(benchDir, 'input.json'), `${JSON.stringify(input, undefined, 2)}\n`);
  console.log(`Made ${repo}`);
}
