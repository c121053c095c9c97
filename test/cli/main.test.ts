/** A few runs of the real program: what cannot be seen in process. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

const root = join(import.meta.dirname, '../..');
const cfs = join(root, 'cfs');
const source = join(root, 'fixtures/ostree-repo');
const top = mkdtempSync(join(tmpdir(), 'cfs-main-'));
after(() => rmSync(top, { recursive: true, force: true }));

describe('cfs, started as a program', () => {
  it('does the main job, results on stdout and the rest on stderr', () => {
    const repo = join(top, 'main');
    const run = spawnSync(cfs, ['--repo', repo, 'ostree', 'pull-local', source, 'golden/x86_64/os'], {
      encoding: 'utf8',
    });
    assert.equal(run.status, 0, run.stderr);
    assert.match(
      run.stdout,
      /^commit  f8f33ca0\w+\nverity  \w+\nimage   \w+\ntagged  golden\/x86_64\/os\nobjects 44 metadata/,
    );
    assert.match(run.stderr, /^Made a composefs repository at /);
    assert.equal(spawnSync(cfs, ['--repo', repo, 'fsck']).status, 0);
  });

  it('says its version without loading anything', () => {
    assert.match(spawnSync(cfs, ['--version'], { encoding: 'utf8' }).stdout, /^cfs \d+\.\d+\.\d+\n$/);
  });

  it('without a command shows help on stderr and exits 2', () => {
    const run = spawnSync(cfs, [], { encoding: 'utf8' });
    assert.equal(run.status, 2);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, /^Usage: cfs/);
  });

  it('is each of the programs that it can be called as', () => {
    for (const name of ['mkcomposefs', 'composefs-info', 'mount.composefs']) {
      const run = spawnSync(cfs, [name], { encoding: 'utf8' });
      assert.equal(run.status, 1);
      assert.match(run.stderr, new RegExp(`usage: ${name} `));
    }
  });

  it('ends quietly when the reader goes away', () => {
    const repo = join(top, 'pipe');
    spawnSync(cfs, ['-q', '--repo', repo, 'ostree', 'pull-local', source, 'golden/plain']);
    const run = spawnSync('sh', ['-c', `'${cfs}' --repo '${repo}' ostree dump golden/plain | head -n 1`], {
      encoding: 'utf8',
    });
    assert.equal(run.stdout, '/ 0 40755 6 0 0 0 0.0 - - -\n');
    assert.equal(run.stderr, '');
  });

  it('does not call it success when the result could not be written', () => {
    const run = spawnSync('sh', ['-c', `'${cfs}' --repo '${join(top, 'pipe')}' images >/dev/full`], {
      encoding: 'utf8',
    });
    assert.equal(run.status, 7);
    assert.match(run.stderr, /^Error: Cannot write the result\n/);
  });

  it('gives all of a long result to a slow reader', () => {
    const repo = join(top, 'slow');
    spawnSync(cfs, ['-q', '--repo', repo, 'ostree', 'pull-local', source, 'golden/x86_64/os']);
    const pipe = `'${cfs}' --repo '${repo}' --json ostree dump golden/x86_64/os | (sleep 0.5; cat)`;
    const { stdout } = spawnSync('sh', ['-c', pipe], { encoding: 'utf8' });
    assert.equal(JSON.parse(stdout).lines.length, 389);
  });

  it('transaction holds the lock until Ctrl-C, which exits 130', async () => {
    const repo = join(top, 'lock');
    spawnSync(cfs, ['-q', '--repo', repo, 'ostree', 'pull-local', source, 'golden/empty']);
    const child = spawn(cfs, ['--json', '--repo', repo, 'transaction'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    const locked = spawnSync('flock', ['--nonblock', '--exclusive', repo, 'true']);
    child.kill('SIGINT');
    assert.equal((await ended)[0], 130);
    assert.equal(locked.status, 1);
    assert.equal(spawnSync('flock', ['--nonblock', '--exclusive', repo, 'true']).status, 0);
  });

  it('a pull ended by Ctrl-C leaves a clean repository that the next pull completes', async () => {
    const repo = join(top, 'interrupted');
    const args = ['--repo', repo, '--progress', 'json', 'ostree', 'pull-local', source, 'golden/x86_64/os'];
    const child = spawn(cfs, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    child.stderr.on('data', (text: Buffer) => {
      if (text.includes('"phase":"content"')) child.kill('SIGINT');
    });
    const [code] = await ended;
    // It may just have been done.
    assert.ok(code === 130 || code === 0, `exit ${code}`);
    assert.equal(existsSync(join(repo, 'streams')), code === 0);
    assert.equal(spawnSync(cfs, ['--repo', repo, 'fsck']).status, 0);
    const again = spawnSync(cfs, ['-q', ...args], { encoding: 'utf8' });
    assert.equal(again.status, 0, again.stderr);
    for (const name of readdirSync(repo)) assert.doesNotMatch(name, /^\.(symlink|cfs-tmp)/);
  });
});
