import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { run } from './run.ts';

const source = join(import.meta.dirname, '../../fixtures/ostree-repo');
const top = mkdtempSync(join(tmpdir(), 'cfs-init-'));
after(() => rmSync(top, { recursive: true, force: true }));

async function filled(name: string): Promise<string> {
  const path = join(top, name);
  const pull = await run('-q', '--repo', path, '--hash', 'sha256', 'ostree', 'pull-local', source, 'golden/single');
  assert.equal(pull.code, 0, pull.stderr);
  return path;
}

test('init --ensure takes a repository with other settings, and refuses another algorithm that is asked for', async () => {
  const path = await filled('ensure');
  const { code, stdout } = await run('--erofs-version', '2', 'init', '--insecure', '--ensure', path);
  assert.equal(code, 0);
  assert.equal(stdout, `Repository already initialized at ${path} (existing configuration preserved)\n`);
  const other = await run('init', '--insecure', '--ensure', '--algorithm', 'fsverity-sha512-12', path);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /uses sha256, not sha512/);
});

test('init --ensure gives a repository of the old format the meta.json that its objects tell', async () => {
  const path = await filled('legacy');
  rmSync(join(path, 'meta.json'));
  assert.equal((await run('init', '--ensure', path)).stdout, `Upgraded legacy repository at ${path}\n`);
  assert.match((await run('--repo', path, 'ostree', 'images')).stdout, /golden\/single/);
});

test('init --reset-metadata removes streams and images, keeps objects and their algorithm', async () => {
  const path = await filled('reset');
  const objects = readdirSync(join(path, 'objects'));
  const { stdout } = await run('init', '--insecure', '--reset-metadata', path);
  assert.match(stdout, new RegExp(`^Initialized composefs repository at ${path}\n  algorithm: fsverity-sha256-12\n`));
  assert.deepEqual(readdirSync(join(path, 'objects')), objects);
  for (const name of ['streams', 'images']) assert.equal(existsSync(join(path, name)), false, name);
  assert.match((await run('--repo', path, 'fsck')).stdout, /status: ok/);
});

test('init --reset-metadata removes nothing where the repository cannot be made anew', async (t) => {
  const path = await filled('kept');
  const { code, stderr } = await run('init', '--reset-metadata', path);
  if (code === 0) {
    t.skip('fs-verity is there');
    return;
  }
  assert.match(stderr, /insecure/);
  assert.match((await run('--repo', path, 'ostree', 'images')).stdout, /golden\/single/);
  assert.deepEqual(
    readdirSync(path).filter((name) => name.startsWith('.trial')),
    [],
  );
});

test('init refuses --ensure together with --reset-metadata', async () => {
  assert.equal((await run('init', '--ensure', '--reset-metadata', join(top, 'both'))).code, 2);
});

test('--insecure may stand in front of any command', async () => {
  const path = join(top, 'front');
  assert.match((await run('--insecure', 'init', path)).stdout, /not required/);
  assert.equal((await run('--insecure', '--repo', path, 'images')).code, 0);
  const tree = join(top, 'tree');
  for (const name of ['usr', 'boot', 'sysroot']) mkdirSync(join(tree, name), { recursive: true });
  assert.match(
    (await run('--insecure', '--no-repo', 'compute-karg', tree)).stdout,
    /^composefs\.digest=\?v1-sha512-12:/,
  );
});
