/** The commands on directories beside those of `cfsctl`: what they write, and what is in the repository afterwards. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockHolders } from '../../src/linux/flock.ts';
import { goldenIds, unpackGoldenDirectory } from '../directory/golden-directory.ts';
import { makeRandomDirectory } from '../directory/random-directory.ts';
import { needs } from '../needs.ts';
import { cfsctl, freshRepository, skipWithoutCfsctl } from '../repository/support.ts';
import { run } from './run.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-directories-'));
after(() => rmSync(base, { recursive: true, force: true }));

const modes: readonly (readonly string[])[] = [
  [],
  ['--no-propagate-usr-to-root'],
  ['--xattrs', 'keep-user-xattrs'],
  ['--bootable'],
  ['--bootable', '--no-propagate-usr-to-root'],
  ['--bootable', '--xattrs=keep-user-xattrs'],
];

async function ours(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('-q', ...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

function theirs(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(cfsctl!, args, { maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr.toString());
  return stdout.toString('latin1');
}

/** Everything below a directory: content of files, targets of links. */
function contents(path: string): Record<string, string> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return Object.fromEntries(
    entries.map((entry) => {
      const at = join(entry.parentPath, entry.name);
      return [at.slice(path.length), entry.isFile() ? readFileSync(at, 'base64') : readlinkSync(at)];
    }),
  );
}

test('compute-id gives the golden directory the ids that cfsctl gave it', { skip: needs('root') }, async () => {
  const golden = join(base, 'golden');
  unpackGoldenDirectory(golden);
  for (const hash of ['sha256', 'sha512'] as const) {
    for (const version of ['0', '1', '2']) {
      const id = await ours('--no-repo', '--hash', hash, '--erofs-version', version, 'compute-id', golden);
      assert.equal(id.trimEnd(), goldenIds.cfsctl[hash][`v${version}`]);
    }
  }
  assert.equal((await ours('--no-repo', 'compute-id', golden)).trimEnd(), goldenIds.cfsctl.sha512['v1']);
  assert.equal(
    await ours('--no-repo', '--hash', 'sha256', 'create-dumpfile', golden),
    readFileSync(join(import.meta.dirname, '../../fixtures/dumps/dir.cfsctl.dump'), 'latin1'),
  );
});

for (const seed of [11, 12]) {
  describe(`of the random directory ${seed}`, { skip: skipWithoutCfsctl }, () => {
    const path = join(base, `random-${seed}`);
    before(() => makeRandomDirectory(path, { seed, files: 120, odd: false, whiteouts: seed % 2 === 0 }));

    for (const options of modes) {
      test(`create-dumpfile and compute-id ${options.join(' ')} say what cfsctl says`, async () => {
        const hash = seed % 2 === 0 ? 'sha256' : 'sha512';
        const globals = ['--no-repo', '--hash', hash];
        assert.equal(
          await ours(...globals, 'create-dumpfile', ...options, path),
          theirs(...globals, 'create-dumpfile', ...options, path),
        );
        for (const version of ['0', '1', '2']) {
          const args = [...globals, '--erofs-version', version, 'compute-id', ...options, path];
          assert.equal(await ours(...args), theirs(...args), args.join(' '));
        }
      });
    }

    test('create-image leaves the repository as cfsctl leaves it', async () => {
      const hash = seed % 2 === 0 ? 'sha512' : 'sha256';
      const [our, their] = [freshRepository(hash), freshRepository(hash)];
      for (const options of modes) {
        assert.equal(
          await ours('--repo', our, 'create-image', ...options, path, 'some/name'),
          theirs('--repo', their, 'create-image', ...options, path, 'some/name'),
        );
        assert.deepEqual(contents(our), contents(their));
      }
      assert.match(theirs('--repo', our, 'fsck'), /^status: ok$/m);
    });

    test('compute-karg gives the argument that cfsctl gives', async () => {
      for (const version of ['0', '1', '2']) {
        for (const options of [[], ['--no-propagate-usr-to-root']]) {
          const globals = ['--no-repo', '--hash', 'sha256', '--erofs-version', version];
          const args = ['compute-karg', ...options, path];
          assert.equal(await ours(...globals, ...args), theirs(...globals, ...args));
          assert.equal(await ours(...globals, ...args, '--insecure'), theirs('--insecure', ...globals, ...args));
        }
      }
    });
  });
}

describe('a root file system', () => {
  const root = join(base, 'root');
  before(() => {
    for (const name of ['usr', 'boot', 'sysroot', 'etc']) mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, 'usr/file'), 'x'.repeat(100));
    utimesSync(join(root, 'usr'), 0, 1_600_000_000);
  });

  const problem = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await run('-q', '--no-repo', ...args);
    assert.equal(code, 1);
    return stderr;
  };

  test('without /usr, /boot or /sysroot, or with something else there, is refused by name', async () => {
    for (const name of ['usr', 'boot', 'sysroot', 'run']) {
      const path = join(base, `without-${name}`);
      for (const each of ['usr', 'boot', 'sysroot']) mkdirSync(join(path, each), { recursive: true });
      rmSync(join(path, name), { recursive: true, force: true });
      if (name !== 'run') {
        assert.match(await problem('compute-id', '--bootable', path), new RegExp(`it has no directory /${name}\n`));
      }
      symlinkSync('usr', join(path, name));
      const stderr = await problem('compute-id', '--bootable', path);
      assert.match(stderr, new RegExp(`it has something else as directory /${name}\n`));
    }
  });

  test('with an SELinux policy is refused for booting, not otherwise', async () => {
    mkdirSync(join(root, 'etc/selinux'));
    const config = join(root, 'etc/selinux/config');
    writeFileSync(config, '# SELINUXTYPE=old\nSELINUX=enforcing\n');
    await ours('--no-repo', 'compute-id', '--bootable', root);
    writeFileSync(config, 'SELINUX=enforcing\nSELINUXTYPE=targeted\n');
    assert.match(await problem('compute-karg', root), /has the SELinux policy 'targeted'/);
    await ours('--no-repo', 'compute-id', root);
    rmSync(config);
    symlinkSync('/etc/passwd', config);
    assert.match(await problem('compute-karg', root), /Cannot read .*etc\/selinux\/config: ELOOP/);
    rmSync(config);
  });

  test('that cannot be read is named', async () => {
    assert.match(await problem('compute-id', join(base, 'none')), /^Error: Cannot read .*none: ENOENT/);
    assert.match(await problem('create-dumpfile', join(root, 'usr/file')), /^Error: Cannot read .*usr\/file: ENOTDIR/);
  });

  test('gives results as JSON', async () => {
    const repo = freshRepository('sha256');
    const json = async (...args: string[]): Promise<Record<string, unknown>> =>
      JSON.parse(await ours('--json', '--repo', repo, ...args)) as Record<string, unknown>;
    const { image } = await json('compute-id', root);
    assert.deepEqual(await json('create-image', root, 'name'), {
      image,
      algorithm: 'sha256',
      images: [image],
      objects: { stored: 1, reflinked: 0, present: 0 },
      named: 'name',
    });
    const again = await json('create-image', root);
    assert.deepEqual(again['objects'], { stored: 0, reflinked: 0, present: 1 });
    assert.deepEqual(await json('compute-id', root), { image, algorithm: 'sha256', erofs_version: 1 });
    const { karg } = await json('compute-karg', root);
    assert.match(String(karg), /^composefs\.digest=v1-sha256-12:[0-9a-f]{64}$/);
    const { lines } = await json('create-dumpfile', root);
    assert.equal((lines as string[]).length, 7);
    assert.match(await ours('--repo', repo, 'fsck'), /^status: ok$/m);
  });
});

describe('import-image', () => {
  test('ends by Ctrl-C while nothing comes', async () => {
    const repo = freshRepository();
    const child = spawn(cfs, ['--repo', repo, 'import-image', 'a'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    const closed = once(child, 'close');
    // By then it hears signals.
    while (!lockHolders(repo).some(({ pid }) => pid === child.pid)) {
      assert.equal(child.exitCode, null, said);
      await sleep(10);
    }
    child.kill('SIGINT');
    const killer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    assert.deepEqual([await closed, said.includes('Interrupted')], [[130, null], true], said);
    clearTimeout(killer);
  });

  const cfs = join(import.meta.dirname, '../../cfs');
  const image = readFileSync(join(import.meta.dirname, '../../fixtures/images/plain.v1.erofs'));
  const imported = (repo: string, input: Buffer): ReturnType<typeof spawnSync> =>
    spawnSync(cfs, ['--repo', repo, 'import-image', 'a/b'], { input });

  test('stores what cfsctl stores, and says that objects are missing', { skip: skipWithoutCfsctl }, () => {
    const [our, their] = [freshRepository(), freshRepository()];
    const { status, stdout, stderr } = imported(our, image);
    assert.equal(status, 0, String(stderr));
    const said = spawnSync(cfsctl!, ['--repo', their, 'import-image', 'a/b'], { input: image });
    assert.equal(String(stdout), String(said.stdout));
    assert.match(String(stderr), /lacks \d+ of the image's objects, such as sha256:/);
    assert.deepEqual(contents(our), contents(their));
  });

  test('refuses what is no image, and leaves nothing behind', () => {
    const repo = freshRepository();
    for (const bytes of [Buffer.from('no image'), image.subarray(0, 40_960), Buffer.alloc(8192)]) {
      const { status, stderr } = imported(repo, bytes);
      assert.equal(status, 4, String(stderr));
    }
    assert.deepEqual(Object.keys(contents(repo)), ['/meta.json']);
  });
});
