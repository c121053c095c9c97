/** `--backend=libostree`: the same results, what libostree adds, and how it ends. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { needs } from '../needs.ts';
import { copyGoldenRepository, goldenRefs, ostree } from '../ostree/real-ostree.ts';
import { run, type Run } from './run.ts';

const skip = needs('ostree', 'gpg', 'libostree for Node');
const program = join(import.meta.dirname, '../../src/cli/main.ts');

suite('--backend=libostree', { skip }, () => {
  const top = mkdtempSync(join(tmpdir(), 'cfs-backend-'));
  const source = join(top, 'source');
  const user = join(top, 'user');
  let count = 0;

  before(() => {
    copyGoldenRepository(source);
    const home = join(top, 'home');
    mkdirSync(home, { mode: 0o700 });
    const env = { ...process.env, GNUPGHOME: home };
    const gpg = (...args: string[]): Buffer => {
      const { status, stdout, stderr } = spawnSync('gpg', ['--batch', ...args], { env });
      assert.equal(status, 0, stderr.toString());
      return stdout;
    };
    gpg('--passphrase', '', '--quick-gen-key', 'Test <test@example.org>', 'ed25519', 'sign', '1d');
    const [, key = ''] = /^fpr:+(\w+):/m.exec(gpg('--list-keys', '--with-colons').toString())!;
    const keyFile = join(top, 'key.gpg');
    gpg('--output', keyFile, '--export', key);
    ostree('gpg-sign', `--repo=${source}`, `--gpg-homedir=${home}`, 'golden/plain', key);
    spawnSync('gpgconf', ['--kill', 'all'], { env });
    ostree('init', `--repo=${user}`, '--mode=bare-user');
    ostree('remote', 'add', `--repo=${user}`, `--gpg-import=${keyFile}`, 'signed', `file://${source}`, 'golden/plain');
    ostree('remote', 'add', `--repo=${user}`, '--no-gpg-verify', 'open', `file://${source}`);
  });
  after(() => rmSync(top, { recursive: true }));

  async function newRepository(): Promise<string> {
    const path = join(top, `cfs-${count++}`);
    assert.equal((await run('--repo', path, 'init', '--insecure')).code, 0);
    return path;
  }
  const pull = (repository: string, ...args: string[]): Promise<Run> =>
    run('--repo', repository, 'ostree', 'pull', '--backend=libostree', '--ostree-repo', user, ...args);
  const leftIn = (repository: string): string[] =>
    readdirSync(repository).filter((name) => name.startsWith('.cfs-tmp'));

  test('gives every golden commit the ids that it has without', async () => {
    const [own, local, remote] = [await newRepository(), await newRepository(), await newRepository()];
    for (const ref of goldenRefs) {
      const expected = await run('--repo', own, 'ostree', 'pull-local', source, ref);
      const read = await run('--repo', local, 'ostree', 'pull-local', '--backend=libostree', source, ref);
      const fetched = await pull(remote, 'open', ref);
      assert.deepEqual([read.code, fetched.code], [0, 0], read.stderr + fetched.stderr);
      assert.deepEqual([read.stdout, fetched.stdout], [expected.stdout, expected.stdout]);
    }
    assert.deepEqual(leftIn(remote), []);
    for (const each of [local, remote]) assert.equal((await run('--repo', each, 'fsck')).code, 0);
  });

  test('verifies signatures by the keys of the remote, and refuses a commit without', async () => {
    const repository = await newRepository();
    // By the branch that is configured.
    const signed = await pull(repository, 'signed');
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, /golden\/plain: 1 of 1 OpenPGP signatures are valid/);
    const unsigned = await pull(repository, 'signed', 'golden/empty');
    assert.equal(unsigned.code, 4);
    assert.match(unsigned.stderr, /no signatures found/);
    assert.equal((await run('--repo', repository, 'ostree', 'dump', 'golden/empty')).code, 3);
    assert.equal((await pull(repository, '--no-verify-signatures', 'signed:golden/empty')).code, 0);
    assert.deepEqual(leftIn(repository), []);
  });

  test('takes patterns, REF@CHECKSUM, commit ids and --depth', async () => {
    const repository = await newRepository();
    const os = ostree('rev-parse', `--repo=${source}`, 'golden/x86_64/os').trim();
    const parent = ostree('rev-parse', `--repo=${source}`, 'golden/x86_64/os^').trim();
    const single = ostree('rev-parse', `--repo=${source}`, 'golden/single').trim();
    const { code, stdout, stderr } = await pull(
      repository,
      'open',
      'golden/[!a]*',
      `golden/x86_64/os@${parent}`,
      single,
    );
    assert.equal(code, 3, 'brackets are no patterns of refs');
    assert.equal(stdout, '');
    assert.match(stderr, /No ref of open matches/);
    const all = await pull(repository, 'open', 'golden/*', `golden/x86_64/os@${parent}`, single);
    assert.equal(all.code, 0, all.stderr);
    assert.match(all.stdout, new RegExp(`commit  ${parent}\n`));
    const deep = await pull(repository, '--depth=1', 'open', 'golden/x86_64/os');
    assert.match(deep.stdout, new RegExp(`commit  ${os}\n(.*\n)*parent  ${parent}\n`));
  });

  const refused: [name: string, args: string[], code: number, message: RegExp][] = [
    ['options of our own transport', ['--jobs', '3', 'open', 'x'], 2, /--jobs does not fit/],
    ['--no-http2', ['--no-http2', 'open', 'x'], 2, /--no-http2 does not fit/],
    ['--subpath', ['--subpath', '/etc', 'open', 'x'], 2, /--subpath does not fit/],
    ['a URL', ['http://localhost/', 'x'], 2, /needs the name of a remote/],
    ['a parent by ^', ['open', 'golden/plain^'], 2, /parents by --depth/],
    ['no ref where none is configured', ['open'], 2, /no branches are configured/],
    ['a remote that is not there', ['none', 'x'], 3, /Remote "none" not found/],
    ['a ref that is not there', ['open', 'no/such'], 3, /no\/such/],
  ];
  for (const [name, args, code, message] of refused) {
    test(`refuses ${name}`, async () => {
      const repository = await newRepository();
      const result = await pull(repository, ...args);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
      assert.deepEqual(leftIn(repository), []);
    });
  }

  suite('of a server that answers no more', () => {
    const commit = readFileSync(join(import.meta.dirname, '../../fixtures/ostree-repo/refs/heads/golden/plain'));
    const server = createServer((request, response) => {
      if (request.url === '/config') response.end('[core]\nrepo_version=1\nmode=archive-z2\n');
      else if (request.url?.startsWith('/refs/') === true) response.end(commit);
      else if (request.url?.startsWith('/objects/') !== true) response.writeHead(404).end();
      else server.emit('stalled');
    });
    let remote = '';
    before(async () => {
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
      const { port } = server.address() as AddressInfo;
      remote = 'stalls';
      ostree('remote', 'add', `--repo=${user}`, '--no-gpg-verify', remote, `http://127.0.0.1:${port}`);
    });
    after(() => {
      server.closeAllConnections();
      server.close();
    });

    async function startPull(repository: string): Promise<{ cfs: ChildProcess; libostree: number }> {
      const stalled = new Promise((resolve) => {
        server.once('stalled', resolve);
      });
      const args = ['--repo', repository, 'ostree', 'pull', '--backend=libostree', '--ostree-repo', user, remote, 'x'];
      const cfs = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
      await stalled;
      const children = readdirSync(`/proc/${cfs.pid}/task`).map((thread) =>
        readFileSync(`/proc/${cfs.pid}/task/${thread}/children`, 'utf8').trim(),
      );
      return { cfs, libostree: Number(children.find((each) => each !== '')) };
    }
    async function assertGone(pid: number): Promise<void> {
      assert(pid > 0);
      for (let i = 0; i < 100 && isRunning(pid); i++) await wait(100);
      assert(!isRunning(pid), `process ${pid} is still there`);
    }
    const end = (child: ChildProcess): Promise<readonly [number | null, string]> =>
      new Promise((resolve) => {
        let said = '';
        child.stderr!.on('data', (chunk) => (said += String(chunk)));
        child.on('close', (code) => resolve([code, said]));
      });

    test('obeys Ctrl-C, and leaves nothing', async () => {
      const repository = await newRepository();
      const { cfs, libostree } = await startPull(repository);
      const ended = end(cfs);
      cfs.kill('SIGINT');
      const [code, said] = await ended;
      assert.equal(code, 130, said);
      assert.match(said, /Interrupted/);
      assert.deepEqual(leftIn(repository), []);
      await assertGone(libostree);
    });

    test('says so when the process of libostree dies', async () => {
      const repository = await newRepository();
      const { cfs, libostree } = await startPull(repository);
      const ended = end(cfs);
      process.kill(libostree, 'SIGABRT');
      const [code, said] = await ended;
      assert.equal(code, 1);
      assert.match(said, /^Error: The process of libostree was ended by SIGABRT during 'pull'/m);
      assert.deepEqual(leftIn(repository), []);
    });

    test('ends the process of libostree with itself, however it dies, and gc removes what is left', async () => {
      const repository = await newRepository();
      const { cfs, libostree } = await startPull(repository);
      cfs.kill('SIGKILL');
      await assertGone(libostree);
      assert.equal(leftIn(repository).length, 1);
      assert.equal((await run('--repo', repository, 'gc')).code, 0);
      assert.deepEqual(leftIn(repository), []);
    });
  });
});

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
