/** The commands that ask a web server. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeSummary } from '../../ostree/summary-write.ts';
import { needs } from '../needs.ts';
import { makeCertificates } from '../ostree/http/certificates.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { run } from './run.ts';

const root = join(import.meta.dirname, '../..');
const golden = join(root, 'fixtures/ostree-repo');
const flatpak = join(root, 'fixtures/flatpak-repo');
const { single } = JSON.parse(readFileSync(join(root, 'fixtures/expected.json'), 'utf8')).commits;
const config = Buffer.from('[core]\nrepo_version=1\nmode=archive-z2\n');

const top = mkdtempSync(join(tmpdir(), 'cfs-http-'));
const repo = join(top, 'repo');
const cfs = (...args: readonly string[]) => run('--repo', repo, '--hash', 'sha256', ...args);

let server: FaultyServer;
before(async () => {
  server = await FaultyServer.start({ files: golden });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(top, { recursive: true });
});

describe('cfs ostree pull', () => {
  it('says what pull-local says', async () => {
    const pulled = await cfs('ostree', 'pull', server.url, 'golden/single');
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.match(pulled.stdout, new RegExp(`^commit  ${single}\n`));
    const local = await run('--repo', join(top, 'local'), '--hash', 'sha256', 'ostree', 'pull-local', golden, single);
    assert.equal(pulled.stdout.replace('tagged  golden/single\n', ''), local.stdout);
    const again = await cfs('ostree', 'pull', '--base-name', 'golden/single', server.url, 'golden/single');
    assert.match(again.stdout, /\nobjects 0 metadata \+ 0 files fetched\n$/);
  });

  it('sends header fields with every request', async () => {
    const since = server.requests.length;
    await cfs('ostree', 'pull', '--http-header', 'X-One=1=2', '--http-header', 'X-Two=b', server.url, 'golden/empty');
    const asked = server.requests.slice(since);
    assert(asked.length > 3);
    for (const { headers } of asked) assert.deepEqual([headers['x-one'], headers['x-two']], ['1=2', 'b']);
  });

  it('trusts the authority that --cacert names, or any with --tls-permissive', { skip: needs('openssl') }, async () => {
    const certificates = makeCertificates(top);
    await using secure = await FaultyServer.start({ files: golden, protocol: 'https', certificates });
    const pull = (...args: string[]) => cfs('ostree', 'pull', ...args, secure.url, 'golden/plain');
    assert.equal((await pull()).code, 6);
    assert.equal((await pull('--tls-permissive')).code, 0);
    assert.equal((await pull('--cacert', certificates.ca)).code, 0);
  });

  it('tells apart what went wrong', async () => {
    const unknown = await cfs('ostree', 'pull', server.url, 'no/such');
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, new RegExp(`^Error: Ref 'no/such' not found in ${server.url}; 'cfs ostree list-refs`));
    const nothing = await cfs('ostree', 'pull', `${server.url}/nothing`, 'x');
    assert.equal(nothing.code, 3);
    assert.match(nothing.stderr, /no OSTree repository at http/);
    const down = await cfs('ostree', 'pull', '--network-retries', '0', 'http://127.0.0.1:1', 'x');
    assert.equal(down.code, 6);
    assert.match(down.stderr, /Cannot fetch http:\/\/127\.0\.0\.1:1\/config/);
    for (const wrong of [
      ['--network-retries', 'x', server.url],
      ['--http-header', 'x', server.url],
      ['--cert', 'only.pem', server.url],
      [golden],
    ]) {
      assert.equal((await cfs('ostree', 'pull', ...wrong, 'golden/single')).code, 2, wrong.join(' '));
    }
  });

  it('ends soon after Ctrl-C, and leaves a good repository', async () => {
    await using stalling = await FaultyServer.start({
      files: golden,
      fault: ({ path }) => (path.endsWith('.filez') ? { kind: 'stall', after: 5 } : undefined),
    });
    const path = join(top, 'interrupted');
    mkdirSync(path);
    const pull = ['--repo', path, 'ostree', 'pull', '--no-delta', stalling.url, 'golden/x86_64/os'];
    const child = spawn(join(root, 'cfs'), pull, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    const closed = once(child, 'close');
    while (!stalling.requests.some(({ path: asked }) => asked.endsWith('.filez'))) {
      assert.equal(child.exitCode, null, said);
      await sleep(10);
    }
    const start = performance.now();
    child.kill('SIGINT');
    const [code] = await closed;
    assert.equal(code, 130);
    // The transfer would be given up after 30 s.
    assert(performance.now() - start < 10_000);
    assert.match(said, /Error: Interrupted/);
    assert.match((await run('--repo', path, 'fsck')).stdout, /status: ok/);
    stalling.fault = undefined;
    assert.equal((await run(...pull)).code, 0);
    assert.match((await run('--repo', path, 'fsck')).stdout, /status: ok/);
  });
});

describe('cfs ostree list-refs', () => {
  it('is a table of refs and commits, or JSON', async () => {
    const { stdout } = await run('ostree', 'list-refs', server.url);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines[0]!, /^REF +COMMIT$/);
    assert(lines.some((line) => new RegExp(`^golden/single +${single}$`).test(line)));
    const { refs } = JSON.parse((await run('ostree', 'list-refs', server.url, '--json')).stdout);
    assert.equal(refs.length, lines.length - 1);
    assert(
      refs.some(({ ref, commit }: { ref: string; commit: string }) => ref === 'golden/single' && commit === single),
    );
  });

  it('says that there are none, or no list of them', async () => {
    const files = new Map([['config', config]]);
    await using small = await FaultyServer.start({ files });
    const unlisted = await run('ostree', 'list-refs', small.url);
    assert.equal(unlisted.code, 3);
    assert.match(unlisted.stderr, /neither a summary nor a summary\.idx/);
    files.set('summary', Buffer.from(encodeSummary([], [])));
    assert.equal((await run('ostree', 'list-refs', small.url)).stdout, 'No refs found\n');
  });

  it('shows a subset', async () => {
    const served = (path: string) => (path === 'config' ? config : readFileSync(join(flatpak, path)));
    const names = ['config', 'summary', 'summary.idx', ...globSync('summaries/*', { cwd: flatpak })];
    await using small = await FaultyServer.start({ files: new Map(names.map((name) => [name, served(name)])) });
    const { code, stdout } = await run('ostree', 'list-refs', '--subset', 'x86_64', small.url);
    assert.equal(code, 0);
    assert.match(stdout, /x86_64/);
    assert.doesNotMatch(stdout, /aarch64/);
    assert.equal((await run('ostree', 'list-refs', '--subset', 'vax', small.url)).code, 3);
  });
});
