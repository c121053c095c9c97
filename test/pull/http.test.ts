/** Pulls over HTTP: the same as from disk, through faults, interrupted, and of no more than is new. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Variant } from '../../gvariant/src/value.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { HttpSource, openHttpSource } from '../../ostree/http/source.ts';
import type { TransportOptions } from '../../ostree/http/options.ts';
import type { PullOptions, PullResult } from '../../src/pull/pull.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { makeCertificates } from '../ostree/http/certificates.ts';
import { FaultyServer, randomFaults, type Fault, type SeenRequest } from '../ostree/http/faulty-server.ts';
import { startNginx } from '../../bench/nginx.ts';
import { noise, quick, serveFolder } from '../ostree/http/open-transport.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, expected, goldenNames, pull, visible } from './support.ts';

const os = 'golden/x86_64/os';

function pullFrom(
  path: string,
  url: string,
  name: string,
  options: PullOptions = {},
  transport: TransportOptions = {},
): Promise<PullResult> {
  return pull(path, openHttpSource(url, { ...quick, ...transport }), name, { deltas: 'never', ...options });
}

const objectRequests = ({ requests }: FaultyServer): string[] =>
  requests.flatMap(({ path }) => (path.startsWith('objects/') ? [path] : []));

describe('pullCommit() over HTTP', () => {
  test('takes the name of a ref as a whole, also one that means a place in a local repository', async (t) => {
    using made = new HandmadeCommits();
    const boundTo = (...refs: string[]): OstreeChecksum =>
      made.commitOf(made.empty, { metadata: [['ostree.ref-binding', new Variant('as', refs)]] });
    for (const place of ['heads', 'remotes/origin', 'mirrors/org.example.Os']) {
      made.ref(`${place}/os`, boundTo(`${place}/os`));
      made.ref(`${place}/other`, boundTo('other'));
      const { url } = await serveFolder(t, made.path);
      const path = freshRepository();
      assert.equal((await pullFrom(path, url, `${place}/os`)).ref, `${place}/os`);
      const message = new RegExp(`no requested ref ‘${place}/other’ in ref binding metadata \\(‘other’\\)`);
      await assert.rejects(pullFrom(path, url, `${place}/other`), { code: 'CONFLICT', message });
    }
  });

  for (const name of goldenNames) {
    test(`gives the golden commit ${name} the same ids as from disk`, async (t) => {
      const commit = expected.commits[name]!;
      const server = await serveFolder(t, goldenPath);
      const path = freshRepository();
      const result = await pullFrom(path, server.url, commit);
      assert.deepEqual(result, await pull(freshRepository(), goldenPath, commit));
      const asked = objectRequests(server);
      assert.equal(new Set(asked).size, asked.length, 'an object was asked for twice');
      assert.equal(asked.length, result.metadataFetched + result.filesFetched);
      assert(server.mostConnections <= 8);
      using repository = await Repository.open(path);
      await assertClean(repository);
    });
  }

  test('fetches only what is new, without a ref in common', async (t) => {
    const server = await serveFolder(t, goldenPath);
    const path = freshRepository();
    // The newest first: the older commit is neither its parent nor of its ref.
    await pullFrom(path, server.url, expected.commits['3']!);
    const before = new Set(objectRequests(server));
    server.requests.length = 0;
    const again = await pullFrom(path, server.url, expected.commits['1']!);
    const asked = objectRequests(server);
    assert(asked.every((each) => !before.has(each)));
    assert(again.filesReused > 0 && again.filesFetched < again.filesReused, JSON.stringify(again));
    assert.equal(again.image, (await pull(freshRepository(), goldenPath, expected.commits['1']!)).image);
  });

  test('shares the files among several threads', async (t) => {
    using source = new HandmadeCommits();
    const files = Array.from(
      { length: 600 },
      (_, i) => [`f${i + 1000}`, source.file(Buffer.alloc(20 + 37 * i, `${i} `))] as const,
    );
    const commit = source.commitFiles(...files);
    const server = await serveFolder(t, source.path);
    const result = await pullFrom(freshRepository(), server.url, commit, { threads: 2 });
    assert.deepEqual(result, await pull(freshRepository(), source.path, commit));
    assert(server.mostConnections <= 16, `${server.mostConnections} connections`);
  });

  test('takes files that do not fit into memory, and gives their space back', async (t) => {
    using source = new HandmadeCommits();
    const files = [1, 3, 9].map((size) => [`f${size}`, source.file(noise(size << 20, size))] as const);
    const commit = source.commitFiles(...files);
    const server = await serveFolder(t, source.path);
    const result = await pullFrom(freshRepository(), server.url, commit);
    assert.deepEqual(result, await pull(freshRepository(), source.path, commit));
    const spools = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).includes('.cfs-spool-'));
    assert.deepEqual(spools, []);
  });

  test('finishes where every second request fails', async (t) => {
    const faults: Fault[] = [
      { kind: 'reset' },
      { kind: 'cut', after: 10 },
      { kind: 'status', status: 503 },
      { kind: 'status', status: 500 },
    ];
    const server = await serveFolder(t, goldenPath, randomFaults(7, 0.5, faults));
    const path = freshRepository();
    const result = await pullFrom(path, server.url, os, {}, { retries: 15, backoff: 1, backoffMax: 5 });
    assert.deepEqual(result, await pull(freshRepository(), goldenPath, os));
    assert(server.requests.length > 1.5 * (result.metadataFetched + result.filesFetched));
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  for (const [name, fault] of [
    ['wrong bytes', { kind: 'wrong-bytes' }],
    ['pages', { kind: 'html' }],
    ['bodies without end', { kind: 'endless' }],
    ['other objects', { kind: 'redirect', to: '/swapped' }],
  ] as const satisfies readonly (readonly [string, Fault])[]) {
    test(`takes from the next mirror what the first gives as ${name}`, async (t) => {
      using source = new HandmadeCommits();
      const files = Array.from({ length: 30 }, (_, i) => [`f${i}`, source.file(noise(100 + 9000 * i, i))] as const);
      const commit = source.commitFiles(...files);
      copyFileSync(source.pathOf('file', files[3]![1]), join(source.path, 'swapped'));
      const bad = await serveFolder(t, source.path, ({ path }) =>
        /\.(filez|dirtree|dirmeta|commit)$/.test(path) ? fault : undefined,
      );
      const good = await serveFolder(t, source.path);
      const both = new HttpSource({ kind: 'http', bases: [bad.url, good.url], transport: { ...quick, retries: 0 } });
      const path = freshRepository();
      const result = await pull(path, both, commit, { deltas: 'never' });
      assert.deepEqual(result, await pull(freshRepository(), source.path, commit));
      assert(objectRequests(bad).length > 0);
      using repository = await Repository.open(path);
      await assertClean(repository);
    });
  }

  const damages: readonly (readonly [name: string, suffix: string, fault: Fault, code: RegExp])[] = [
    ['a missing file', '.filez', { kind: 'status', status: 404 }, /^NOT_FOUND$/],
    ['a missing dirtree', '.dirtree', { kind: 'status', status: 404 }, /^NOT_FOUND$/],
    ['a missing commit', '.commit', { kind: 'status', status: 410 }, /^NOT_FOUND$/],
    ['a page in place of a dirmeta', '.dirmeta', { kind: 'html' }, /^(CHECKSUM|FORMAT)$/],
    ['a page in place of a file', '.filez', { kind: 'html' }, /^FORMAT$/],
    ['wrong bytes of a dirtree', '.dirtree', { kind: 'wrong-bytes' }, /^CHECKSUM$/],
    ['wrong bytes of a file', '.filez', { kind: 'wrong-bytes' }, /^FORMAT$/],
    ['a file without end', '.filez', { kind: 'endless' }, /^FORMAT$/],
    ['a server that is down', '', { kind: 'reset' }, /^FETCH$/],
  ];
  for (const [name, suffix, fault, code] of damages) {
    test(`refuses ${name}, and nothing is visible then`, async (t) => {
      const server = await serveFolder(t, goldenPath, ({ path }) => (path.endsWith(suffix) ? fault : undefined));
      const path = freshRepository();
      using repository = await Repository.open(path);
      const seen = visible(repository);
      await assert.rejects(pullFrom(path, server.url, os, {}, { retries: 1 }), { code });
      assert.deepEqual(visible(repository), seen);
      server.fault = undefined;
      await pullFrom(path, server.url, os);
      await assertClean(repository);
    });
  }

  test('refuses a file that is cut on the server, naming it', async (t) => {
    using source = new HandmadeCommits();
    const file = source.file(Buffer.from('some content that is cut'));
    const commit = source.commitFiles(['file', file]);
    const stored = source.pathOf('file', file);
    const bytes = readFileSync(stored);
    const server = await serveFolder(t, source.path);
    for (const length of [bytes.length - 1, bytes.length - 10, 20, 7, 0]) {
      writeFileSync(stored, bytes.subarray(0, length));
      await assert.rejects(pullFrom(freshRepository(), server.url, commit), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'FORMAT', error.message);
        assert(error.message.includes(file), error.message);
        return true;
      });
    }
  });

  for (const suffix of ['/config', '.dirtree', '.filez']) {
    test(`ends soon when it is cancelled while it waits for *${suffix}`, async (t) => {
      const stalled = ({ path }: SeenRequest): boolean => `/${path}`.endsWith(suffix);
      const server = await serveFolder(t, goldenPath, (request) => (stalled(request) ? { kind: 'stall' } : undefined));
      const path = freshRepository();
      const controller = new AbortController();
      const reason = new Error('enough');
      const pulling = pullFrom(path, server.url, os, { signal: controller.signal }, { watchdog: 60_000 });
      const rejected = assert.rejects(pulling, (error: Error) => error === reason || error.cause === reason);
      while (!server.requests.some(stalled)) await sleep(5);
      const start = performance.now();
      controller.abort(reason);
      await rejected;
      assert(performance.now() - start < 1000);
      using repository = await Repository.open(path);
      await assertClean(repository);
    });
  }
});

describe('pullCommit() from nginx', { skip: needs('nginx', 'openssl') }, () => {
  const ways: readonly (readonly [name: string, line: RegExp, http2: boolean, secure: boolean, proxied: boolean])[] = [
    ['over HTTP/1.1', /^HTTP\/1\.1 200 /, true, false, false],
    ['over HTTP/2 with TLS', /^HTTP\/2\.0 200 /, true, true, false],
    ['over HTTP/1.1 with TLS', /^HTTP\/1\.1 200 /, false, true, false],
    ['through a proxy', /^proxy /, true, false, true],
  ];
  const fromDisk = new Map<string, PullResult>();
  before(async () => {
    for (const name of goldenNames) {
      fromDisk.set(name, await pull(freshRepository(), goldenPath, expected.commits[name]!));
    }
  });
  for (const [way, line, http2, secure, proxied] of ways) {
    test(`gives every golden commit the same ids as from disk, ${way}`, async (t) => {
      const folder = freshPath();
      mkdirSync(folder);
      const certificates = makeCertificates(folder);
      const nginx = await startNginx({ folder: join(folder, 'nginx'), root: goldenPath, certificates });
      t.after(() => nginx[Symbol.dispose]());
      const transport = {
        http2,
        tls: { caFile: certificates.ca },
        ...(proxied ? { proxy: nginx.proxyUrl } : {}),
      };
      for (const name of goldenNames) {
        const commit = expected.commits[name]!;
        const result = await pullFrom(freshRepository(), secure ? nginx.secureUrl : nginx.url, commit, {}, transport);
        assert.deepEqual(result, fromDisk.get(name));
      }
      const lines = readFileSync(nginx.log, 'utf8').split('\n');
      assert(lines.filter((each) => line.test(each)).length > 100, lines.slice(0, 5).join('\n'));
    });
  }
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
