/** HttpSource against the contract of all sources, and against servers that lack things, lie or never end. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { checksumOf, parseChecksum, type OstreeChecksum } from '../../../ostree/checksum.ts';
import { encodeArchiveHeader, encodeHashedHeader } from '../../../ostree/file-header.ts';
import { HttpSource, openHttpSource } from '../../../ostree/http/source.ts';
import type { TransportOptions } from '../../../ostree/http/options.ts';
import { openSource } from '../../../ostree/open-source.ts';
import { goldenPath } from '../golden.ts';
import { contentOf, testSource } from '../source-contract.ts';
import { FaultyServer, type Fault } from './faulty-server.ts';
import { noise, openServer, quick, serveFolder } from './open-transport.ts';

const os = 'golden/x86_64/os';
const parent = '9e66836a721c83ccd4b6c2dfb1afd92b7b5d148435a37a095180ca7c4afae863';
const flatpakPath = join(goldenPath, '../flatpak-repo');

function openAt(t: TestContext, server: FaultyServer, options: TransportOptions = {}): HttpSource {
  const source = openHttpSource(server.url, { ...quick, ...options });
  t.after(() => source.close());
  return source;
}

const config = '[core]\nrepo_version=1\nmode=archive-z2\n';
const missing: Fault = { kind: 'status', status: 404 };
const html: Fault = { kind: 'html' };

{
  let server: FaultyServer | undefined;
  testSource({
    name: 'of the golden repository over HTTP',
    skip: false,
    open: async () => {
      server = await FaultyServer.start({ files: goldenPath });
      return openHttpSource(server.url, quick);
    },
    reopen: (description) => openSource(description),
    cleanUp: () => server?.[Symbol.asyncDispose](),
    refs: [os, 'golden/plain', 'golden/single', 'golden/empty'],
    parent: [os, parent],
  });
}

describe('HttpSource.resolveRef()', () => {
  test('fetches config and summary once', async (t) => {
    const server = await serveFolder(t, goldenPath);
    const source = openAt(t, server);
    await source.resolveRef(os);
    await source.resolveRef('golden/plain');
    await source.listRefs();
    assert.deepEqual(server.requests.map(({ path }) => path).sort(), ['config', 'summary']);
  });

  test('reads refs/heads where there is no summary', async (t) => {
    const source = openAt(
      t,
      await serveFolder(t, goldenPath, ({ path }) => (path.startsWith('summary') ? missing : undefined)),
    );
    assert.equal(await source.resolveRef(`${os}^`), parent);
    await assert.rejects(source.resolveRef('no/such'), { code: 'NOT_FOUND', message: /list-refs http:/ });
    await assert.rejects(source.listRefs(), { code: 'NOT_FOUND', message: /neither a summary nor/ });
  });

  for (const [name, body] of [
    ['a word', 'master'],
    ['very long', 'x'.repeat(2_000_000)],
    ['a short checksum', 'ab'.repeat(31)],
    ['two checksums', `${'ab'.repeat(32)}\n${'ab'.repeat(32)}\n`],
    ['nothing', ''],
  ] as const) {
    test(`names the URL of a ref that is ${name}`, async (t) => {
      const server = await openServer(t, { config, 'refs/heads/os': body });
      await assert.rejects(openAt(t, server).resolveRef('os'), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'FORMAT');
        assert.match(error.message, /Invalid rev/);
        assert(error.message.includes(`${server.url}/refs/heads/os`), error.message);
        return true;
      });
    });
  }

  test('refuses what is no archive repository', async (t) => {
    const none = await openServer(t, {});
    await assert.rejects(openAt(t, none).resolveRef('os'), {
      code: 'NOT_FOUND',
      message: /no OSTree repository at http/,
    });
    const bare = await openServer(t, { config: config.replace('archive-z2', 'bare') });
    await assert.rejects(openAt(t, bare).resolveRef('os'), { code: 'UNSUPPORTED', message: /mode "bare"/ });
    assert.throws(() => openHttpSource('/a/path'), { code: 'USAGE' });
  });

  for (const [path, before] of [
    ['config', []],
    ['summary', []],
    ['summary.idx', ['summary']],
    [`refs/heads/${os}`, ['summary', 'summary.idx']],
  ] as const) {
    for (const page of [
      '<html><body>Please log in</body></html>',
      `\ufeff\r\n <!DOCTYPE html>\n${'<p>long</p>'.repeat(1000)}`,
    ]) {
      test(`says that ${path} is a page that begins with ${JSON.stringify(page.slice(0, 18))}`, async (t) => {
        const server = await openServer(t, { config, [path]: page });
        await assert.rejects(openAt(t, server).resolveRef(os), {
          code: 'FORMAT',
          message:
            `Cannot read ${server.url}/${path}: the server gave a web page (HTML); ` +
            'is it the URL of an OSTree repository, and does the network want a login?',
        });
        assert.deepEqual(
          before.map((each) => server.count(each)),
          before.map(() => 1),
        );
      });
    }
  }

  test('reads the summary of another mirror where one gives a page', async (t) => {
    const portal = await serveFolder(t, goldenPath, ({ path }) => (path === 'summary' ? html : undefined));
    const good = await serveFolder(t, goldenPath);
    const source = new HttpSource({ kind: 'http', bases: [portal.url, good.url], transport: quick });
    t.after(() => source.close());
    assert.equal(await source.resolveRef(`${os}^`), parent);
  });
});

describe("flatpak's summary.idx", () => {
  test('gives refs where there is no summary, and those of a subset', async (t) => {
    const names = readdirSync(join(flatpakPath, 'summaries')).map((name) => `summaries/${name}`);
    const files = ['summary.idx', ...names].map((name) => [name, readFileSync(join(flatpakPath, name))] as const);
    const server = await openServer(t, { config, ...Object.fromEntries(files) });
    const source = openAt(t, server);
    const all = await source.listRefs();
    assert(all.size > 0);
    const [[ref, commit]] = all as unknown as [[string, OstreeChecksum]];
    assert.equal(await source.resolveRef(ref), commit);
    const architecture = ref.split('/')[2] ?? 'x86_64';
    const some = await source.listRefs(undefined, { subset: architecture });
    assert(some.size > 0 && some.size <= all.size);
    await assert.rejects(source.listRefs(undefined, { subset: 'vax' }), {
      code: 'NOT_FOUND',
      message: /no subset 'vax'/,
    });
  });
});

const header = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };

/** A file object whose stored content is `stored`. */
function stored(content: Uint8Array, size = content.length, body: Uint8Array = deflateRawSync(content)) {
  const checksum = checksumOf(Buffer.concat([encodeHashedHeader(header), content]));
  const path = `objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.filez`;
  return { checksum, path, bytes: Buffer.concat([encodeArchiveHeader(header, size), body]) };
}

describe('HttpSource.openFile()', () => {
  for (const size of [0, 100, 1 << 20, 5 << 20]) {
    test(`gives a file of ${size} bytes, also when its transfer begins again`, async (t) => {
      const file = stored(noise(size));
      const server = await openServer(t, { [file.path]: file.bytes }, { headers: { etag: '' } });
      const half = Math.floor(file.bytes.length / 2);
      server.fault = ({ nth }) => (nth === 0 ? { kind: 'cut', after: half } : { kind: 'no-range' });
      using opened = await openAt(t, server).openFile(file.checksum);
      assert.equal(opened.size, size);
      assert(contentOf(opened).equals(noise(size)));
      assert(opened.content.kind === 'file' && opened.content.complete === size < 1 << 20);
    });
  }

  const lies = [
    [
      'has much more than it declares',
      stored(Buffer.from('x'), 40, Buffer.from(noise(5000))),
      /more than \d+ stored bytes/,
    ],
    [
      'has no complete header',
      { ...stored(Buffer.from('x')), bytes: Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 1]) },
      /header/,
    ],
    ['is empty', { ...stored(Buffer.from('x')), bytes: Buffer.alloc(0) }, /header/],
    ['is a page', { ...stored(Buffer.from('x')), bytes: Buffer.from('<html><body>x</body></html>') }, /header/],
  ] as const;
  for (const [name, file, says] of lies) {
    test(`refuses an object that ${name}`, async (t) => {
      const source = openAt(t, await openServer(t, { [file.path]: file.bytes }));
      await assert.rejects(source.openFile(file.checksum), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'FORMAT', error.message);
        assert.match(error.message, says);
        assert(error.message.includes(file.checksum), error.message);
        return true;
      });
    });
  }

  for (const [name, first] of [
    ['begins with a good header', (bytes: Buffer) => bytes],
    ['is zeros', () => undefined],
    ['begins with a header of 128 MiB', () => Buffer.from([8, 0, 0, 1, 0, 0, 0, 0])],
  ] as const) {
    test(`refuses a body without end that ${name}`, async (t) => {
      const file = stored(Buffer.alloc(40));
      const begin = first(file.bytes);
      const fault: Fault = { kind: 'endless', ...(begin === undefined ? {} : { first: begin }) };
      const server = await openServer(t, {}, { fault: () => fault });
      await assert.rejects(openAt(t, server).openFile(file.checksum), { code: 'FORMAT' });
      assert(server.bytes < 16 << 20, `${server.bytes} bytes were sent`);
    });
  }

  test('stops when it is told to', async (t) => {
    const file = stored(noise(5000));
    const server = await openServer(t, { [file.path]: file.bytes }, { fault: () => ({ kind: 'stall', after: 100 }) });
    const reason = new Error('enough');
    const opening = openAt(t, server, { watchdog: 60_000 }).openFile(file.checksum, AbortSignal.abort(reason));
    await assert.rejects(opening, { code: 'CANCELLED', cause: reason });
  });
});

test('HttpSource.readObject() refuses more than 128 MiB', async (t) => {
  const server = await serveFolder(t, goldenPath, () => ({ kind: 'endless' }));
  await assert.rejects(openAt(t, server).readObject('dirtree', parseChecksum(parent)), { code: 'LIMIT' });
});
