/**
 * Pulls both commits of the benchmark's input and holds them against the real `ostree`: the tree that `cfs ostree dump` gives
 * against a walk of `ostree checkout`, file by file with content, mode, owner and xattrs; `fsck`; a second pull, and the pull of the
 * second commit with the first as a base; pulls from nginx, which give the same images. Needs root and nginx. Exits 1 at the first difference.
 *
 *     npm run bench:verify
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getXattr, listXattrs } from '../src/linux/xattr.ts';
import { parseDump } from '../src/tree/dumpfile-parse.ts';
import type { Inode } from '../src/tree/tree.ts';
import { verityDigest } from '../src/verity/digest.ts';
import { readInput } from './input.ts';
import { startNginx } from './nginx.ts';
import { cfsPath } from './programs.ts';

const input = readInput();
if (input === undefined) throw new Error('there is no input yet: run npm run bench once');
const top = mkdtempSync(join(tmpdir(), 'cfs-verify-'));
const repo = join(top, 'repo');
const httpRepo = join(top, 'http-repo');

function cfs(...args: readonly string[]): Buffer {
  return execFileSync(cfsPath, ['--repo', repo, '-q', ...args], { maxBuffer: 1 << 28 });
}

function cfsHttp(...args: readonly string[]): string {
  return execFileSync(cfsPath, ['--repo', httpRepo, '-q', ...args], { encoding: 'utf8' });
}

interface Pulled {
  readonly image: string;
  readonly metadata_fetched: number;
  readonly files_fetched: number;
  readonly files_reused: number;
}

function pull(...args: readonly string[]): Pulled {
  return JSON.parse(
    cfs('--json', '--hash', 'sha256', 'ostree', 'pull-local', input!.repo, ...args).toString(),
  ) as Pulled;
}

/** The names of a directory as byte strings. */
function namesOf(path: string): string[] {
  return readdirSync(path, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
}

/** Compares what lies at `path` with the tree; gives the number of entries. */
function compare(path: string, node: Inode): number {
  const stats = lstatSync(path);
  const at = (what: string): string => `${what} of ${path.slice(top.length)}`;
  assert.equal(stats.mode & 0o7777, node.kind === 'symlink' ? stats.mode & 0o7777 : node.stat.mode, at('mode'));
  assert.deepEqual([stats.uid, stats.gid], [node.stat.uid, node.stat.gid], at('owner'));
  assert.equal(node.stat.mtimeSec, 0n, at('mtime'));
  const xattrs = listXattrs(path).map((name) => `${name}=${Buffer.from(getXattr(path, name)!).toString('hex')}`);
  const wanted = node.stat.xattrs.map(({ name, value }) => `${name}=${Buffer.from(value).toString('hex')}`);
  assert.deepEqual(xattrs.sort(), wanted.sort(), at('xattrs'));
  if (node.kind === 'directory') {
    assert.ok(stats.isDirectory(), at('type'));
    const names = namesOf(path).sort();
    assert.deepEqual(names, ([...node.entries.keys()] as string[]).sort(), at('names'));
    let count = 1;
    for (const [name, child] of node.entries)
      count += compare(join(path, Buffer.from(name, 'latin1').toString()), child);
    return count;
  }
  if (node.kind === 'symlink') {
    assert.equal(readlinkSync(path, 'buffer').toString('latin1'), node.payload, at('target'));
    return 1;
  }
  assert.ok(stats.isFile() && node.kind === 'file', at('type'));
  assert.equal(stats.size, node.size, at('size'));
  const content = readFileSync(path);
  if (node.digest === undefined) assert.deepEqual(content, Buffer.from(node.content ?? []), at('content'));
  else assert.equal(verityDigest('sha256', content), node.digest, at('digest'));
  return 1;
}

function checkout(ref: string): string {
  const path = join(top, ref.replace('/', '-'));
  execFileSync('ostree', [`--repo=${input!.repo}`, 'checkout', ref, path]);
  return path;
}

try {
  const first = pull('debian/1');
  console.log(`pull debian/1: ${first.metadata_fetched} metadata + ${first.files_fetched} files`);
  console.log(
    `compare with a checkout: ${compare(checkout('debian/1'), parseDump(cfs('ostree', 'dump', 'debian/1')))} entries are equal`,
  );
  const again = pull('debian/1');
  assert.deepEqual([again.metadata_fetched, again.files_fetched, again.image], [0, 0, first.image]);
  console.log('pull debian/1 again: nothing fetched, the same image');
  const second = pull('--base-name', 'debian/1', 'debian/2');
  console.log(
    `pull debian/2: ${second.metadata_fetched} metadata + ${second.files_fetched} files, ${second.files_reused} reused`,
  );
  console.log(
    `compare with a checkout: ${compare(checkout('debian/2'), parseDump(cfs('ostree', 'dump', 'debian/2')))} entries are equal`,
  );
  console.log(cfs('fsck').toString().trimEnd());

  using nginx = await startNginx({ folder: join(top, 'nginx'), root: input.repo });
  for (const [ref, image] of [
    ['debian/1', first.image],
    ['debian/2', second.image],
  ] as const) {
    const options = ['--json', '--hash', 'sha256', 'ostree', 'pull', '--no-delta', nginx.url];
    const pulled = JSON.parse(cfsHttp(...options, ref)) as Pulled;
    assert.equal(pulled.image, image);
    const { metadata_fetched: metadata, files_fetched: files, files_reused: reused } = pulled;
    console.log(`pull ${ref} from nginx: ${metadata} metadata + ${files} files, ${reused} reused, the same image`);
  }
  console.log(cfsHttp('fsck').trimEnd());
} finally {
  rmSync(top, { recursive: true });
}
