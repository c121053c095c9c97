/** Random trees through `cfsctl` (composefs-rs), `fsck.erofs` and the kernel beside our own writer and reader. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, lstatSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseDump } from '../../src/tree/dumpfile-parse.ts';
import { formatDump } from '../../src/tree/dumpfile-format.ts';
import { readImage } from '../../src/erofs/read.ts';
import { writeImage } from '../../src/erofs/write.ts';
import { isWhiteout, typeBits, type Directory, type Inode } from '../../src/tree/tree.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { needs, toolPath } from '../needs.ts';
import { randomTree } from './random-tree.ts';

const rounds = Math.ceil(Math.min(fuzzRuns, 10_000) / 50);
const directory = mkdtempSync(join(tmpdir(), 'erofs-differential-'));
after(() => rmSync(directory, { recursive: true }));
const dumpFile = join(directory, 'tree.dump');
const theirFile = join(directory, 'their.erofs');
const ourFile = join(directory, 'our.erofs');

function run(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { maxBuffer: 1 << 28 });
  return { status, stdout: stdout?.toString('latin1') ?? '', stderr: stderr?.toString('latin1') ?? '' };
}

const cfsctl = toolPath('cfsctl') ?? 'cfsctl';

/** The image that composefs-rs makes of the dump file. */
function imageOfCfsctl(version: number): Buffer {
  const { status, stderr } = run(cfsctl, 'mkcomposefs', '--from-file', `--min-version=${version}`, dumpFile, theirFile);
  assert.equal(status, 0, stderr);
  return readFileSync(theirFile);
}

/** composefs-rs loses whiteouts in the root whose names look like those of stubs. */
const rootHex = /^\/[0-9a-f]{2} /m;

test(
  'writeImage() makes the images of cfsctl of random trees, and cfsctl reads them as readImage() does',
  { skip: needs('cfsctl') },
  () => {
    for (let seed = 1; seed <= rounds; seed++) {
      const tree = randomTree({
        seed,
        inodes: 20 + (seed % 7) * 60,
        forRust: true,
        whiteouts: seed % 2 === 0,
        oddXattrs: false,
      });
      const text = formatDump(tree);
      if (rootHex.test(text)) continue;
      writeFileSync(dumpFile, text, 'latin1');
      for (const version of [0, 1, 2] as const) {
        // These trees have nothing in which the two dialects differ.
        const image = writeImage(tree, { version, dialect: 'c' });
        assert.ok(
          Buffer.from(image).equals(
            writeImage(parseDump(Buffer.from(text, 'latin1')), { version, dialect: 'composefs-rs' }),
          ),
          `seed ${seed}`,
        );
        if (version !== 2) {
          assert.ok(imageOfCfsctl(version).equals(image), `seed ${seed}, version ${version}`);
        }
        writeFileSync(ourFile, image);
        const { status, stdout, stderr } = run(cfsctl, 'composefs-info', 'dump', ourFile);
        assert.equal(status, 0, stderr);
        assert.equal(formatDump(readImage(image)), stdout, `seed ${seed}, version ${version}`);
      }
    }
  },
);

test(
  "writeImage() in the dialect composefs-rs stores the writer's own xattr names as cfsctl does",
  { skip: needs('cfsctl') },
  () => {
    for (let seed = 1; seed <= rounds; seed++) {
      const tree = randomTree({ seed, inodes: 100, forRust: true, whiteouts: true, oddXattrs: true });
      writeFileSync(dumpFile, formatDump(tree), 'latin1');
      for (const version of [0, 1] as const) {
        const image = writeImage(tree, { version, dialect: 'composefs-rs' });
        assert.ok(imageOfCfsctl(version).equals(image), `seed ${seed}, version ${version}`);
      }
    }
  },
);

test('fsck.erofs finds nothing wrong with images of random trees', { skip: needs('fsck.erofs') }, () => {
  for (let seed = 1; seed <= Math.min(rounds, 20); seed++) {
    const tree = randomTree({ seed, inodes: 300, forRust: true, whiteouts: true, oddXattrs: false });
    for (const version of [0, 1, 2] as const) {
      writeFileSync(ourFile, writeImage(tree, { version }));
      const { status, stdout, stderr } = run('fsck.erofs', ourFile);
      assert.equal(status, 0, `seed ${seed}, version ${version}: ${stdout}${stderr}`);
    }
  }
});

const noMount = needs('root', 'loop devices', 'EROFS in the kernel');

test('the kernel shows the random tree of an image that it mounts', { skip: noMount }, () => {
  const mountPoint = join(directory, 'mnt');
  run('mkdir', mountPoint);
  for (let seed = 1; seed <= 6; seed++) {
    const forRust = seed > 4;
    const inodes = forRust ? 60 : 400;
    const tree = randomTree({ seed, inodes, forRust, whiteouts: true, oddXattrs: false });
    const version = (seed % 2) as 0 | 1;
    writeFileSync(ourFile, writeImage(tree, { version }));
    const { status, stderr } = run('mount', '-t', 'erofs', '-o', 'loop,ro,noacl', ourFile, mountPoint);
    assert.equal(status, 0, stderr);
    try {
      compareMounted(tree, mountPoint);
      if (forRust) compareXattrs(tree, mountPoint);
    } finally {
      run('umount', mountPoint);
    }
  }
});

/** Compares a mounted tree with ours; stubs and escaped whiteouts are as they are stored. */
function compareMounted(root: Directory, mountPoint: string): void {
  const open: (readonly [node: Directory, path: Buffer])[] = [[root, Buffer.from(mountPoint)]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [node, path] = next;
    const names = readdirSync(path, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    const wanted = new Set<string>(node.entries.keys());
    if (node === root) for (let i = 0; i < 256; i++) wanted.add(i.toString(16).padStart(2, '0'));
    assert.deepEqual(names.sort(), [...wanted].sort());
    for (const [name, child] of node.entries) {
      const childPath = Buffer.concat([path, Buffer.from('/'), Buffer.from(name, 'latin1')]);
      compareInode(child, childPath);
      if (child.kind === 'directory') open.push([child, childPath]);
    }
  }
}

function compareInode(node: Inode, path: Buffer): void {
  const stat = lstatSync(path, { bigint: true });
  const where = path.toString('latin1');
  const kind = isWhiteout(node) ? 'file' : node.kind;
  assert.equal(Number(stat.mode), typeBits(kind) | node.stat.mode, where);
  assert.equal(Number(stat.uid), node.stat.uid, where);
  assert.equal(Number(stat.gid), node.stat.gid, where);
  assert.equal(stat.mtimeNs, node.stat.mtimeSec * 1_000_000_000n + BigInt(node.stat.mtimeNsec), where);
  if (node.kind !== 'directory') {
    assert.equal(Number(stat.nlink), node.nlink, where);
    if (node.kind === 'file' || node.kind === 'symlink') assert.equal(Number(stat.size), node.size, where);
  }
  if (node.kind === 'symlink')
    assert.equal(readlinkSync(path, { encoding: 'buffer' }).toString('latin1'), node.payload);
  if (node.kind === 'file' && node.content !== undefined) assert.ok(readFileSync(path).equals(node.content), where);
}

/** The kernel finds every xattr by its name, through the name filter. It refuses to show ACLs and capabilities that are none. */
function compareXattrs(root: Directory, mountPoint: string): void {
  if (run('getfattr', '--version').status !== 0) return;
  for (const [name, node] of root.entries) {
    // Linux has user xattrs only on these.
    const user = node.kind === 'file' || node.kind === 'directory';
    for (const xattr of node.stat.xattrs) {
      if (xattr.name.startsWith('user.') && !user) continue;
      if (!/^(user\.|trusted\.|security\.selinux)/.test(xattr.name)) continue;
      const stored = xattr.name.replace(/^trusted\.overlay\./, 'trusted.overlay.overlay.');
      const { status, stdout, stderr } = run('getfattr', '-h', '-n', stored, '--only-values', join(mountPoint, name));
      assert.equal(status, 0, stderr);
      assert.equal(stdout, Buffer.from(xattr.value).toString('latin1'), `${name} ${stored}`);
    }
  }
}
