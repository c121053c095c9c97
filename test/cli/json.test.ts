/** Every command with `--json`: its result is JSON, and so are errors of all kinds. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { commands } from '../../src/cli/commands.ts';
import { unmount } from '../../src/linux/old-mount.ts';
import { needs } from '../needs.ts';
import { run } from './run.ts';

const source = join(import.meta.dirname, '../../fixtures/ostree-repo');
const url = pathToFileURL(source).href;
const top = mkdtempSync(join(tmpdir(), 'cfs-json-'));
const [repo, other, tree, delta, mountpoint] = ['repo', 'other', 'tree', 'single.delta', 'mnt'].map((name) =>
  join(top, name),
) as [string, string, string, string, string];
const entry = join(import.meta.dirname, '../../src/cli/main.ts');
const mounts = { needs: ['root', 'EROFS in the kernel', 'overlay in the kernel'] } as const;

interface Row {
  readonly args: readonly string[];
  /** What of the machine it takes. */
  readonly needs?: readonly string[];
}

/** A command line for each command, in this order: some build on those before. */
const rows: Readonly<Record<string, Row>> = {
  init: { args: ['--insecure', other] },
  'ostree pull-local': { args: [source, 'golden/plain'] },
  'create-image': { args: ['--no-propagate-usr-to-root', tree, 'tree'] },
  'compute-id': { args: ['--no-propagate-usr-to-root', tree] },
  'compute-karg': { args: [tree] },
  'create-dumpfile': { args: ['--no-propagate-usr-to-root', tree] },
  images: { args: [] },
  'image-objects': { args: ['refs/tree'] },
  'dump-files': { args: ['refs/tree', '/usr'] },
  diff: { args: ['golden/plain', tree] },
  mount: { args: ['refs/tree', mountpoint], ...mounts },
  copy: { args: ['golden/plain', '--to', other] },
  cat: { args: ['refs/ostree/golden%2Fplain'] },
  fsck: { args: [] },
  gc: { args: ['--dry-run'] },
  'ostree pull': { args: [url, 'golden/single'] },
  'ostree list-refs': { args: [url] },
  'ostree delta create': { args: ['--empty', 'golden/single', '--inline', '--output', delta] },
  'ostree apply-delta': { args: [delta] },
  'ostree delta list': { args: [delta] },
  'ostree delta show': { args: [delta] },
  'ostree delta verify': { args: [delta] },
  'ostree remote add': { args: ['--no-gpg-verify', 'golden', url] },
  'ostree remote list': { args: [] },
  'ostree remote show': { args: ['golden'] },
  'ostree remote refs': { args: ['golden'] },
  'ostree remote delete': { args: ['golden'] },
  'ostree images': { args: [] },
  'ostree inspect': { args: ['golden/plain'] },
  'ostree log': { args: ['golden/plain'] },
  'ostree ls': { args: ['golden/plain'] },
  'ostree cat': { args: ['golden/plain', '/etc/hostname'] },
  'ostree diff': { args: ['golden/plain', 'golden/single'] },
  'ostree dump': { args: ['golden/plain'] },
  'ostree compute-id': { args: ['golden/plain'] },
  'ostree create-image': { args: ['golden/plain', 'plain'] },
  'ostree tag': { args: ['golden/plain', 'kept'] },
  'ostree untag': { args: ['kept'] },
  'ostree commit': { args: [tree, '--reference', 'tree'] },
  'ostree export': { args: ['tree', join(top, 'exported'), '--create', 'archive'] },
  'ostree mount': { args: ['golden/plain', mountpoint], ...mounts },
  completion: { args: ['bash'] },
  complete: { args: ['--', 'ostree', 'pu'] },
  man: { args: ['fsck'] },
};

before(() => {
  for (const path of [mountpoint, ...['usr', 'boot', 'sysroot'].map((name) => join(tree, name))]) {
    mkdirSync(path, { recursive: true });
  }
});
after(() => rmSync(top, { recursive: true, force: true }));

const cfs = (words: string, ...args: readonly string[]) =>
  run('--quiet', '--json', '--repo', repo, ...words.split(' '), ...args);

describe('--json', () => {
  it('is tried with every command', () => {
    const tried = [...Object.keys(rows), 'import-image', 'transaction'];
    assert.deepEqual(tried.toSorted(), commands.map(({ words }) => words).toSorted());
  });

  for (const [words, { args, needs: needed = [] }] of Object.entries(rows)) {
    it(`of ${words} gives one JSON value`, { skip: needs(...needed) }, async () => {
      const { code, stdout, stderr } = await cfs(words, ...args);
      assert.equal(code, 0, stderr);
      if (args.includes(mountpoint)) unmount(mountpoint);
      assert.equal(typeof JSON.parse(stdout), 'object');
    });
  }

  it('of import-image gives one JSON value', () => {
    const input = readFileSync(join(source, '../images/single.v1.erofs'));
    const { stdout, stderr } = spawnSync(process.execPath, [entry, '--json', '--repo', repo, 'import-image', 'x'], {
      input,
      encoding: 'utf8',
    });
    assert.equal(JSON.parse(stdout).named, 'x', stderr);
  });

  it('of transaction says who holds the repository', async () => {
    const child = spawn(process.execPath, [entry, '--json', '--repo', repo, 'transaction']);
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill();
    await once(child, 'exit');
    assert.equal(JSON.parse(said.toString()).pid, child.pid);
  });

  for (const { words } of commands) {
    it(`of ${words} with an unknown option gives the error as JSON`, async () => {
      const { code, stdout, stderr } = await cfs(words, '--no-such-option');
      assert.equal(code, 2);
      assert.equal(stdout, '');
      const { error } = JSON.parse(stderr);
      assert.equal(error.code, 'USAGE');
      assert.match(error.message, /--no-such-option/);
    });
  }
});
