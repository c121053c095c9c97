/** Pulls of several refs and from remotes by name, with configurations that the real `ostree` wrote. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { needs } from '../needs.ts';
import { makeCertificates } from '../ostree/http/certificates.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { startProxy } from '../ostree/http/test-proxy.ts';
import { copyGoldenRepository, ostree } from '../ostree/real-ostree.ts';
import { run } from './run.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');
const golden = join(fixtures, 'ostree-repo');
const { plain, single } = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')).commits;
const top = mkdtempSync(join(tmpdir(), 'cfs-remotes-'));

let server: FaultyServer;
before(async () => {
  server = await FaultyServer.start({ files: golden });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(top, { recursive: true });
});

let made = 0;
/** Command lines on a repository of their own. */
function fresh(): { readonly path: string; readonly cfs: (...args: readonly string[]) => ReturnType<typeof run> } {
  const path = join(top, `repo${made++}`);
  return { path, cfs: (...args) => run('--repo', path, '--hash', 'sha256', ...args) };
}

/** The names that a pull's text tells. */
const tagged = (text: string): string[] => Array.from(text.matchAll(/^tagged {2}(.*)$/gm), ([, name = '']) => name);

describe('cfs ostree pull of refs', () => {
  const many: readonly (readonly [wanted: readonly string[], names: readonly string[]])[] = [
    [
      ['golden/single', 'golden/empty'],
      ['golden/single', 'golden/empty'],
    ],
    [['golden/*'], ['golden/empty', 'golden/plain', 'golden/single']],
    [
      ['golden/e*', 'golden/single', 'golden/s?ngle'],
      ['golden/empty', 'golden/single'],
    ],
    [[`golden/single@${single}`], ['golden/single']],
    [[single], []],
    [['golden/single^', 'golden/empty'], ['golden/empty']],
  ];
  for (const [wanted, names] of many) {
    it(`takes ${wanted.map((text) => text.replace(single, 'CHECKSUM')).join(' ')}`, async () => {
      const { cfs } = fresh();
      const parentless = wanted[0] === 'golden/single^';
      const { code, stdout, stderr } = await cfs('ostree', 'pull', server.url, ...wanted);
      assert.equal(code, parentless ? 3 : 0, stderr);
      if (parentless) assert.match(stderr, /has no parent/);
      else assert.deepEqual(tagged(stdout), names);
    });
  }

  it('pulls nothing if one of them is not there, and does not make the repository', async () => {
    const { cfs, path } = fresh();
    for (const wanted of [['golden/single', 'no/such'], ['golden/single', 'no/*'], ['golden/single@123'], []]) {
      const { code, stdout } = await cfs('ostree', 'pull', server.url, ...wanted);
      assert.equal(code, wanted.length === 2 ? 3 : 2, wanted.join(' '));
      assert.equal(stdout, '');
    }
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
  });

  it('asks for the summary once, and for no object twice', async () => {
    await using counting = await FaultyServer.start({ files: golden });
    const { cfs } = fresh();
    assert.equal((await cfs('ostree', 'pull', counting.url, '**')).code, 0);
    const paths = counting.requests.map(({ path }) => path);
    assert.deepEqual(
      paths.filter((path, i) => paths.indexOf(path) !== i),
      [],
    );
  });

  it('gives an object for one ref, and an array where several may come', async () => {
    const { cfs } = fresh();
    const json = async (...wanted: string[]) =>
      JSON.parse((await cfs('--json', 'ostree', 'pull', server.url, ...wanted)).stdout);
    const one = await json('golden/single');
    assert.equal(one.commit, single);
    assert(one.bytes_transferred > 0);
    assert.deepEqual(Object.keys((await json('golden/sing*'))[0]), Object.keys(one));
    assert.equal((await json('golden/single', 'golden/empty')).length, 2);
  });

  it('ends at a deadline with a code of its own', async () => {
    await using stalling = await FaultyServer.start({
      files: golden,
      fault: ({ path }) => (path.endsWith('.filez') ? { kind: 'stall', after: 5 } : undefined),
    });
    const { cfs } = fresh();
    const { code, stderr } = await cfs('ostree', 'pull', '--deadline', '0.5', stalling.url, 'golden/plain');
    assert.equal(code, 9, stderr);
    assert.match(stderr, /^Error: Not done within 0\.5 s/m);
    assert.match((await cfs('fsck')).stdout, /status: ok/);
  });

  it('pull-local takes several too', async () => {
    const { cfs } = fresh();
    const { stdout, stderr } = await cfs('ostree', 'pull-local', golden, 'golden/single', 'golden/e*');
    assert.deepEqual(tagged(stdout), ['golden/single', 'golden/empty']);
    assert.match(stderr, /\d+ metadata, 1 content objects imported; /);
  });
});

describe('bindings and times of commits', { skip: needs('ostree') }, () => {
  const source = join(top, 'bound');
  before(() => {
    ostree('init', `--repo=${source}`, '--mode=archive', '--collection-id=org.example.Bound');
    mkdirSync(join(top, 'tree'));
    const commit = (ref: string, date: string) =>
      ostree('commit', `--repo=${source}`, `--branch=${ref}`, `--tree=dir=${join(top, 'tree')}`, `--timestamp=${date}`);
    commit('new', '2020-01-02 00:00:00 +0000');
    writeFileSync(join(top, 'tree/file'), 'x');
    commit('old', '2019-01-02 00:00:00 +0000');
    ostree('refs', `--repo=${source}`, '--create=stolen', 'new');
    ostree('summary', `--repo=${source}`, '-u');
  });

  it('are verified as ostree does, unless told otherwise', async () => {
    const { cfs } = fresh();
    await using bound = await FaultyServer.start({ files: source });
    const refused = await cfs('ostree', 'pull', bound.url, 'stolen');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Commit has no requested ref ‘stolen’ in ref binding metadata \(‘new’\)/);
    assert.equal((await cfs('ostree', 'pull-local', source, 'stolen')).code, 1);
    assert.equal((await cfs('ostree', 'pull', '--disable-verify-bindings', bound.url, 'stolen')).code, 0);
    assert.deepEqual(tagged((await cfs('ostree', 'pull', bound.url, 'new')).stdout), ['new']);
  });

  it('the collection of the remote counts', async () => {
    const { cfs } = fresh();
    await using bound = await FaultyServer.start({ files: source });
    const add = (name: string, id: string) =>
      cfs('ostree', 'remote', 'add', '--no-gpg-verify', '--collection-id', id, name, bound.url);
    await add('right', 'org.example.Bound');
    await add('wrong', 'org.example.Other');
    assert.equal((await cfs('ostree', 'pull', 'right', 'new')).code, 0);
    const wrong = await cfs('ostree', 'pull', 'wrong', 'new');
    assert.match(wrong.stderr, /collection ID ‘org\.example\.Bound’.*‘org\.example\.Other’/);
  });

  it('an older commit is refused where that is asked for', async () => {
    const { cfs } = fresh();
    const pull = (...args: string[]) => cfs('ostree', 'pull-local', '--disable-verify-bindings', ...args);
    const old = ostree('rev-parse', `--repo=${source}`, 'old').trim();
    assert.equal((await pull(source, 'new')).code, 0);
    assert.equal((await pull('--timestamp-check', source, 'new')).code, 0);
    for (const check of [['-T'], ['--timestamp-check-from-rev', 'new']]) {
      const { code, stderr } = await pull(...check, source, `new@${old}`);
      assert.equal(code, 1);
      assert.match(stderr, /'Wed Jan {2}2 00:00:00 2019' is chronologically older than current revision/);
    }
    assert.equal((await pull('--timestamp-check-from-rev', 'nothing', source, 'old')).code, 3);
    assert.equal((await pull('-T', source, 'old')).code, 0);
  });
});

describe('cfs ostree remote', () => {
  it('adds, lists, shows and deletes', async () => {
    const { cfs, path } = fresh();
    const add = (...args: string[]) => cfs('ostree', 'remote', 'add', ...args);
    assert.equal((await cfs('ostree', 'remote', 'list')).stdout, 'No remotes found\n');
    const url = server.url.replace('//', '//me:secret@');
    assert.equal((await add('--no-gpg-verify', '--set', 'http2=false', 'os', url, 'golden/single')).code, 0);
    assert.equal((await add('signed', 'https://example.org/repo')).code, 0);
    assert.equal((await add('os', url)).code, 1);
    assert.match((await add('--if-not-exists', 'os', url)).stderr, /There is a remote os already/);
    assert.equal((await add('--force', '--no-gpg-verify', 'signed', 'metalink=https://example.org/m')).code, 0);
    const file = join(path, 'ostree-remotes.conf');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'utf8'), /me:secret@/);
    const shown = await cfs('ostree', 'remote', 'show', 'os');
    assert.equal(shown.stdout, `url=${server.url}\nbranches=golden/single;\ngpg-verify=false\nhttp2=false\n`);
    const { remotes } = JSON.parse((await cfs('--json', 'ostree', 'remote', 'list')).stdout);
    assert.deepEqual(remotes, [
      { name: 'os', url: server.url, path: file },
      { name: 'signed', url: 'metalink=https://example.org/m', path: file },
    ]);
    // Without refs its branches are meant; the password goes to the server, and nowhere else.
    const pulled = await cfs('ostree', 'pull', 'os');
    assert.deepEqual(tagged(pulled.stdout), ['golden/single']);
    assert.equal(server.requests.at(-1)!.headers.authorization, `Basic ${btoa('me:secret')}`);
    assert.match((await cfs('ostree', 'remote', 'refs', 'os')).stdout, /^golden\/single +[0-9a-f]{64}$/m);
    assert.deepEqual(tagged((await cfs('ostree', 'pull', 'os:golden/empty', 'golden/plain')).stdout), [
      'golden/empty',
      'golden/plain',
    ]);
    assert.equal((await cfs('ostree', 'remote', 'delete', 'signed')).code, 0);
    assert.equal((await cfs('ostree', 'remote', 'delete', 'signed')).code, 3);
    assert.equal((await cfs('ostree', 'remote', 'delete', '--if-exists', 'signed')).code, 0);
    const unknown = await cfs('ostree', 'pull', 'signed', 'x');
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /Remote "signed" not found in .*; there are os/);
    // What others ignore stays through garbage collection, and nothing minds it.
    assert.equal((await cfs('gc')).code, 0);
    assert.match((await cfs('fsck')).stdout, /status: ok/);
    assert.equal((await cfs('ostree', 'remote', 'show', 'os')).code, 0);
  });

  it('speaks HTTP/2 unless the remote or the command line says otherwise', { skip: needs('openssl') }, async () => {
    const certificates = makeCertificates(top);
    await using secure = await FaultyServer.start({ files: golden, protocol: 'http2', certificates });
    const { cfs } = fresh();
    const add = (name: string, ...args: string[]) =>
      cfs(
        'ostree',
        'remote',
        'add',
        '--no-gpg-verify',
        '--set',
        `tls-ca-path=${certificates.ca}`,
        ...args,
        name,
        secure.url,
      );
    await add('new');
    await add('old', '--set', 'http2=false');
    for (const [args, version] of [
      [['new'], '2.0'],
      [['old'], '1.1'],
      [['--no-http2', 'new'], '1.1'],
    ] as const) {
      const since = secure.requests.length;
      assert.equal((await cfs('ostree', 'remote', 'refs', ...args)).code, 0);
      const versions = new Set(secure.requests.slice(since).map(({ httpVersion }) => httpVersion));
      assert.deepEqual([...versions], [version], args.join(' '));
    }
  });

  it('loses none of those that are added at the same time', async () => {
    const { cfs, path } = fresh();
    await cfs('init', '--insecure', '--algorithm', 'fsverity-sha256-12');
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(
      names.map(async (name) => {
        const args = ['--repo', path, 'ostree', 'remote', 'add', name, 'https://example.org/'];
        const child = spawn(join(fixtures, '../cfs'), args, { stdio: 'inherit' });
        assert.deepEqual(await once(child, 'close'), [0, null]);
      }),
    );
    const { remotes } = JSON.parse((await cfs('--json', 'ostree', 'remote', 'list')).stdout);
    assert.deepEqual(
      remotes.map(({ name }: { name: string }) => name),
      names,
    );
    assert.deepEqual(
      readdirSync(path).filter((name) => name.startsWith('.cfs-tmp')),
      [],
    );
  });

  it('waits for whoever changes them, and not for ever', { skip: needs('flock') }, async () => {
    const { cfs, path } = fresh();
    assert.equal((await cfs('ostree', 'remote', 'add', 'a', 'https://example.org/')).code, 0);
    const holder = spawn('flock', [join(path, 'ostree-remotes.conf'), 'sh', '-c', 'echo; exec cat']);
    await once(holder.stdout, 'data');
    try {
      const late = await cfs('--lock-timeout', '0.1', 'ostree', 'remote', 'delete', 'a');
      assert.equal(late.code, 8);
      assert.match(late.stderr, /Cannot lock .*ostree-remotes\.conf: another process has it, waited 0\.1 s/);
    } finally {
      holder.stdin.end();
    }
    assert.equal((await cfs('ostree', 'remote', 'show', 'a')).code, 0);
  });

  it('refuses what it cannot understand', async () => {
    const { cfs } = fresh();
    const wrong: readonly (readonly string[])[] = [
      ['a/b', 'http://x/'],
      ['--set', 'no-such-key=1', 'a', 'http://x/'],
      ['--set', 'proxy', 'a', 'http://x/'],
      ['--sign-verify', 'rot13=inline:x', 'a', 'http://x/'],
      ['--force', '--if-not-exists', 'a', 'http://x/'],
    ];
    for (const args of wrong) assert.equal((await cfs('ostree', 'remote', 'add', ...args)).code, 2, args.join(' '));
    for (const args of [
      ['a', 'ftp://x/'],
      ['--set', 'http2=perhaps', 'a', 'http://x/'],
      ['--set', 'tls-client-key-path=/k', 'a', 'http://x/'],
      ['--sign-verify', 'ed25519=inline:short', 'a', 'http://x/'],
      ['--collection-id', 'none', 'a', 'http://x/'],
    ]) {
      assert.equal((await cfs('ostree', 'remote', 'add', ...args)).code, 4, args.join(' '));
    }
  });
});

describe('a remote that the real ostree configured', { skip: needs('ostree') }, () => {
  const config = join(top, 'configured');
  const add = (...args: string[]) => ostree('remote', 'add', `--repo=${config}`, ...args);
  before(() => {
    ostree('init', `--repo=${config}`, '--mode=bare-user');
    const { url } = server;
    const keys: Readonly<Record<string, readonly string[]>> = {
      plain: ['--no-gpg-verify'],
      gpg: [],
      'gpg-summary': ['--no-gpg-verify', '--set=gpg-verify-summary=true'],
      dummy: ['--no-gpg-verify', '--set=sign-verify=true'],
      'sign-summary': ['--no-gpg-verify', '--set=sign-verify-summary=ed25519;'],
      content: ['--no-gpg-verify', `--contenturl=${url}`],
      backend: ['--no-gpg-verify', '--custom-backend=rpm'],
      unconfigured: ['--no-gpg-verify', '--set=unconfigured-state=Subscribe first'],
      token: ['--no-gpg-verify', '--set=tls-client-cert-path=pkcs11:a', '--set=tls-client-key-path=pkcs11:b'],
      collection: ['--no-gpg-verify', '--collection-id=org.example.Golden'],
    };
    for (const [name, args] of Object.entries(keys)) add(...args, name, url, 'golden/single');
    add('--no-gpg-verify', 'list', `mirrorlist=${url}/mirrors`, 'golden/single');
    add('--no-gpg-verify', 'file', `file://${golden}`, 'golden/single');
  });

  const rows: readonly (readonly [name: string, code: number, stderr: RegExp])[] = [
    ['plain', 0, /content objects fetched; .* transferred/],
    ['gpg', 1, /Remote "gpg" demands verified signatures \(gpg-verify\), and cfs verifies none/],
    ['gpg-summary', 1, /demands verified signatures \(gpg-verify-summary\)/],
    ['dummy', 1, /demands verified signatures \(sign-verify\)/],
    ['sign-summary', 1, /demands verified signatures \(sign-verify-summary\)/],
    ['content', 0, /fetched/],
    ['backend', 1, /remote 'backend' uses custom backend 'rpm'/],
    ['unconfigured', 2, /remote unconfigured-state: Subscribe first/],
    ['token', 1, /PKCS#11/],
    ['collection', 0, /fetched/],
    ['file', 0, /content objects imported/],
    ['list', 3, /mirrors/],
  ];
  for (const [name, code, stderr] of rows) {
    it(`${name}: exit ${code}`, async () => {
      const done = await fresh().cfs('ostree', 'pull', '--ostree-repo', config, name);
      assert.equal(done.code, code, done.stderr);
      assert.match(done.stderr, stderr);
      if (code === 0) assert.deepEqual(tagged(done.stdout), ['golden/single']);
      else assert.equal(done.stdout, '');
    });
  }

  it('is pulled from without verification only if that is said', async () => {
    const { cfs } = fresh();
    for (const name of ['gpg', 'dummy', 'sign-summary']) {
      const done = await cfs('ostree', 'pull', '--ostree-repo', config, '--no-verify-signatures', name);
      assert.equal(done.code, 0, done.stderr);
    }
  });

  it('lies in its own repository, or in a folder of configuration', async () => {
    const { cfs } = fresh();
    const folder = join(top, 'remotes.d');
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.conf'), `[remote "far"]\nurl=${server.url}\ngpg-verify=false\n`);
    const { stdout } = await cfs('ostree', 'remote', 'list', '--ostree-repo', config, '--remotes-dir', folder);
    assert.equal(stdout.trim().split('\n').length, 14);
    assert.equal((await cfs('ostree', 'pull', '--remotes-dir', folder, 'far', 'golden/single')).code, 0);
    assert.equal((await cfs('ostree', 'pull', '--remotes-dir', folder, 'plain', 'golden/single')).code, 3);
    writeFileSync(join(folder, 'b.conf'), `[remote "far"]\nurl=${server.url}\n`);
    const twice = await cfs('ostree', 'remote', 'list', '--remotes-dir', folder);
    assert.equal(twice.code, 4);
    assert.match(twice.stderr, /Multiple specifications found for remote "far"/);
  });

  it('sends its cookies and goes through its proxy', async () => {
    await using proxy = await startProxy();
    const repo = join(top, 'cookies');
    ostree('init', `--repo=${repo}`, '--mode=bare-user');
    ostree('remote', 'add', `--repo=${repo}`, '--no-gpg-verify', `--set=proxy=${proxy.url}`, 'os', server.url);
    ostree('remote', 'add-cookie', `--repo=${repo}`, 'os', '127.0.0.1', '/', 'flavour', 'vanilla');
    const since = server.requests.length;
    assert.equal((await fresh().cfs('ostree', 'pull', '--ostree-repo', repo, 'os', 'golden/single')).code, 0);
    const asked = server.requests.slice(since);
    assert(asked.length > 3);
    for (const { headers } of asked) assert.equal(headers.cookie, 'flavour=vanilla');
    assert(proxy.forwarded.length + proxy.tunnelled.length > 0);
    const direct = ['ostree', 'pull', '--proxy', '', '--ostree-repo', repo, 'os', 'golden/plain'];
    const before = proxy.forwarded.length + proxy.tunnelled.length;
    assert.equal((await fresh().cfs(...direct)).code, 0);
    assert.equal(proxy.forwarded.length + proxy.tunnelled.length, before);
  });
});

describe('where objects and summaries come from', () => {
  const names = globSync('**', { cwd: golden, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(golden.length + 1));
  const serve = (wanted: (name: string) => boolean, extra: Readonly<Record<string, string>> = {}) =>
    FaultyServer.start({
      files: new Map([
        ...names.filter(wanted).map((name) => [name, readFileSync(join(golden, name))] as const),
        ...Object.entries(extra).map(([name, text]) => [name, Buffer.from(text)] as const),
      ]),
    });
  const isContent = (name: string): boolean => name.startsWith('objects/') || name.startsWith('delta');

  it('a contenturl serves objects, and the URL itself everything else', async () => {
    await using metadata = await serve((name) => !isContent(name));
    await using content = await serve(isContent);
    const { cfs } = fresh();
    const done = await cfs('ostree', 'pull', '--contenturl', content.url, metadata.url, 'golden/plain');
    assert.equal(done.code, 0, done.stderr);
    assert(content.requests.every(({ path }) => isContent(path)));
    assert(metadata.requests.every(({ path }) => !isContent(path)));
  });

  it('a mirror gives what the first does not, and a mirror list names more', async () => {
    await using broken = await serve((name) => !name.endsWith('.filez'));
    const { cfs } = fresh();
    const done = await cfs('ostree', 'pull', '--mirror', server.url, broken.url, 'golden/single');
    assert.equal(done.code, 0, done.stderr);
    await using list = await serve(() => false, { mirrors: `# mirrors\nftp://x/\n${broken.url}\n${server.url}\n` });
    const listed = await cfs('ostree', 'pull', `mirrorlist=${list.url}/mirrors`, 'golden/plain');
    assert.equal(listed.code, 0, listed.stderr);
  });

  it('a summary that did not change is not sent again, and servers on two ports share nothing', async () => {
    await using one = await FaultyServer.start({ files: golden });
    await using two = await FaultyServer.start({ files: golden });
    const { cfs } = fresh();
    const conditions = (asked: FaultyServer) =>
      asked.requests
        .filter(({ path }) => path === 'summary')
        .map(({ headers }) => headers['if-none-match'] !== undefined);
    for (const each of [one, one, two]) assert.equal((await cfs('ostree', 'pull', each.url, 'golden/single')).code, 0);
    assert.deepEqual([conditions(one), conditions(two)], [[false, true], [false]]);
    assert.match((await cfs('fsck')).stdout, /status: ok/);
    // Nothing refers to it, so that it goes with the garbage, and comes back.
    await cfs('gc');
    for (let i = 0; i < 2; i++) await cfs('ostree', 'pull', one.url, 'golden/single');
    assert.deepEqual(conditions(one), [false, true, false, true]);
  });

  it('a ref that is none, and a broken summary, are errors that name the URL', async () => {
    const config = readFileSync(join(golden, 'config'), 'utf8');
    await using other = await serve(() => false, { config, 'refs/heads/os': 'Hello' });
    const none = await fresh().cfs('ostree', 'pull', other.url, 'os');
    assert.equal(none.code, 4);
    assert.match(none.stderr, new RegExp(`${other.url}/refs/heads/os.*Invalid rev "Hello"`));
    await using broken = await serve(() => false, { config, summary: 'Hello' });
    const summary = await fresh().cfs('ostree', 'pull', broken.url, 'os');
    assert.equal(summary.code, 4);
    assert.match(summary.stderr, new RegExp(`${broken.url}/summary`));
  });

  it('a token goes to the servers that are named', async () => {
    const token = join(top, 'token');
    writeFileSync(token, 'abc\n');
    const since = server.requests.length;
    assert.equal((await fresh().cfs('ostree', 'pull', '--bearer-file', token, server.url, 'golden/single')).code, 0);
    for (const { headers } of server.requests.slice(since)) assert.equal(headers.authorization, 'Bearer abc');
  });

  it('a file URL is a repository on this machine', { skip: needs('ostree') }, async () => {
    const copy = join(top, 'copy');
    copyGoldenRepository(copy);
    ostree('summary', `--repo=${copy}`, '-u');
    const { code, stdout } = await fresh().cfs('ostree', 'pull', `file://${copy}`, 'golden/*');
    assert.equal(code, 0);
    assert(stdout.includes(plain));
    const refs = await run('ostree', 'list-refs', `file://${copy}`);
    assert.match(refs.stdout, /^golden\/single +[0-9a-f]{64}$/m);
  });
});
