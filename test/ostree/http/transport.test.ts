import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CfsError, deserializeError, FetchError, NotFoundError, serializeError } from '../../../bytes/errors.ts';
import { createRateLimit } from '../../../ostree/http/rate-limit.ts';
import { makeCertificates } from './certificates.ts';
import { Collector, noise, openServer, openTransport } from './open-transport.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { needs } from '../../needs.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

suite('Transport', () => {
  test('fetchBytes() gives the bytes with their validators', async (t) => {
    const server = await openServer(t, { 'repo/summary': 'text' }, { headers: { etag: '"1"', 'last-modified': 'x' } });
    const result = await openTransport(t).fetchBytes({ bases: [`${server.url}/repo//`], path: '/summary' });
    assert.equal(Buffer.from(result.bytes).toString(), 'text');
    const { status, etag, lastModified, attempts, joined } = result;
    assert.deepEqual(
      { status, etag, lastModified, attempts, joined },
      { status: 200, etag: '"1"', lastModified: 'x', attempts: 1, joined: false },
    );
  });

  test('fetchBytes() sends validators and gives 304 without bytes', async (t) => {
    const server = await openServer(t, { a: 'text' }, { headers: { etag: '"1"' } });
    const transport = openTransport(t);
    const same = await transport.fetchBytes({ bases: [server.url], path: 'a', etag: '"1"', lastModified: 'date' });
    assert.deepEqual([same.status, same.bytes.length, same.etag], [304, 0, '"1"']);
    assert.equal(server.requests[0]?.headers['if-modified-since'], 'date');
    const other = await transport.fetchBytes({ bases: [server.url], path: 'a', etag: '"0"' });
    assert.deepEqual([other.status, other.bytes.length], [200, 4]);
  });

  test('fetchBytes() refuses a 304 that it did not ask for', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 304 }) });
    const fetch = openTransport(t, { retries: 0 }).fetchBytes({ bases: [server.url], path: 'a' });
    await assert.rejects(fetch, (error: unknown) => error instanceof FetchError && error.status === 304);
  });

  test('fetchBytes() gives an empty file', async (t) => {
    const server = await openServer(t, { a: '' });
    assert.equal((await openTransport(t).fetchBytes({ bases: [server.url], path: 'a' })).bytes.length, 0);
  });

  for (const status of [403, 404, 410]) {
    test(`fetchBytes() takes ${status} for not found at once`, async (t) => {
      const server = await openServer(t, {}, { fault: () => ({ kind: 'status', status }) });
      const fetch = openTransport(t).fetchBytes({ bases: [server.url], path: 'a' });
      await assert.rejects(fetch, (error: unknown) => {
        assert.ok(error instanceof NotFoundError);
        assert.deepEqual(error.facts, { url: `${server.url}/a`, status });
        assert.match(error.message, new RegExp(`/a: Server returned HTTP ${status}`));
        return true;
      });
      assert.equal(server.requests.length, 1);
    });
  }

  test('fetchBytes() refuses too long a file by its declared length', async (t) => {
    const server = await openServer(t, { a: noise(5000) });
    const fetch = openTransport(t).fetchBytes({ bases: [server.url], path: 'a' }, { limit: 4999 });
    await assert.rejects(fetch, {
      code: 'LIMIT',
      message: `URI ${server.url}/a exceeded maximum size of 4999 bytes`,
    });
    const fits = await openTransport(t).fetchBytes({ bases: [server.url], path: 'a' }, { limit: 5000 });
    assert.equal(fits.bytes.length, 5000);
  });

  test('fetchBytes() refuses an endless body at its limit, without keeping more', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'endless' }) });
    const fetch = openTransport(t).fetchBytes({ bases: [server.url], path: 'a' }, { limit: 1_000_000 });
    await assert.rejects(fetch, { code: 'LIMIT' });
    assert.equal(server.requests.length, 1);
  });

  test('fetchStream() keeps memory flat when its sink is slower than an endless body', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'endless' }) });
    const stop = new AbortController();
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    let [received, most] = [0, 0];
    const sink = {
      restart: () => assert.fail('restarted'),
      write: async (chunk: Uint8Array) => {
        received += chunk.length;
        const { arrayBuffers, external } = process.memoryUsage();
        most = Math.max(most, arrayBuffers + external - before);
        await wait(2);
        if (received > 8_000_000) stop.abort();
      },
    };
    await assert.rejects(openTransport(t).fetchStream({ bases: [server.url], path: 'a', signal: stop.signal }, sink), {
      code: 'CANCELLED',
    });
    // What is on its way in the sockets' buffers counts as sent.
    assert.ok(server.bytes - received < 16_000_000, `${server.bytes} sent, ${received} received`);
    assert.ok(most < 60_000_000, `${most} bytes more`);
  });

  test('fetchStream() passes on what its sink throws, and does not try again', async (t) => {
    const server = await openServer(t, { a: noise(100_000) });
    const mistake = new CfsError('CHECKSUM', 'wrong');
    const sink = {
      restart: () => undefined,
      write: () => {
        throw mistake;
      },
    };
    await assert.rejects(openTransport(t).fetchStream({ bases: [server.url], path: 'a' }, sink), mistake);
    assert.equal(server.requests.length, 1);
  });

  test('fetchStream() refuses bases that are not http, without showing a password', async (t) => {
    for (const base of ['ftp://u:secret@x/', 'u:secret@nonsense', 'http://u:se/cret@h', 'file:///etc']) {
      const fetch = openTransport(t).fetchStream({ bases: [base], path: 'a' }, new Collector());
      await assert.rejects(fetch, (error: unknown) => {
        assert.ok(error instanceof CfsError && error.code === 'USAGE');
        assert.doesNotMatch(error.message + JSON.stringify(error.facts), /cret/);
        return true;
      });
    }
  });

  test('an abort ends a running fetch, one that waits for a place, and one between rounds', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    const failing = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 500 }) });
    const transport = openTransport(t, { connections: 1, backoff: 100_000, backoffMax: 100_000 });
    const stop = new AbortController();
    const fetches = [server, server, failing].map(({ url }) =>
      transport.fetchBytes({ bases: [url], path: 'a', signal: stop.signal }),
    );
    const rejections = fetches.map((fetch) => assert.rejects(fetch, { code: 'CANCELLED' }));
    await wait(100);
    stop.abort(new Error('enough'));
    await Promise.all(rejections);
    await assert.rejects(transport.fetchBytes({ bases: [server.url], path: 'a', signal: stop.signal }), {
      code: 'CANCELLED',
    });
    assert.equal(server.requests.length, 1);
  });

  test('an abort ends a fetch whose sink never ends', async (t) => {
    const server = await openServer(t, { a: 'text' });
    const stop = new AbortController();
    const sink = { restart: () => undefined, write: () => new Promise<void>(() => setTimeout(() => stop.abort(), 20)) };
    const fetch = openTransport(t).fetchStream({ bases: [server.url], path: 'a', signal: stop.signal }, sink);
    await assert.rejects(fetch, { code: 'CANCELLED' });
  });

  test('close() cancels what runs and refuses more', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    const transport = openTransport(t);
    const ended = assert.rejects(transport.fetchBytes({ bases: [server.url], path: 'a' }), { code: 'CANCELLED' });
    await wait(50);
    await transport.close();
    await ended;
    await assert.rejects(transport.fetchBytes({ bases: [server.url], path: 'a' }), { code: 'CANCELLED' });
  });

  test('uses at most the connections it may, and all of them', async (t) => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, noise(20_000, i)]));
    const server = await openServer(t, files);
    const transport = openTransport(t, { connections: 3, pipelining: 2 });
    const all = Object.keys(files).map((path) => transport.fetchBytes({ bases: [server.url], path }));
    assert.deepEqual(
      (await Promise.all(all)).map(({ bytes }) => bytes.length),
      Array(40).fill(20_000),
    );
    assert.equal(server.mostConnections, 3);
  });

  for (const protocol of ['https', 'http2'] as const) {
    test(`fetches over ${protocol}, paused and resumed by a slow sink`, { skip: needs('openssl') }, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'cfs-http-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const certificates = makeCertificates(folder);
      const files = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, noise(600_000 - i, i)]));
      const server = await openServer(t, files, { protocol, certificates });
      const transport = openTransport(t, { tls: { caFile: certificates.ca } });
      const sinks = await Promise.all(
        Object.keys(files).map(async (path) => {
          const sink = new Collector();
          const slow = {
            restart: () => sink.restart(),
            write: async (chunk: Uint8Array) => (sink.write(chunk), await wait(1)),
          };
          await transport.fetchStream({ bases: [server.url], path }, slow, { limit: 600_000 });
          return sink.bytes;
        }),
      );
      assert.deepEqual(sinks, Object.values(files));
      const versions = new Set(server.requests.map(({ httpVersion }) => httpVersion));
      assert.deepEqual(Array.from(versions), [protocol === 'http2' ? '2.0' : '1.1']);
      if (protocol === 'http2') assert.ok(server.mostConnections <= 2);
    });
  }

  test('uses HTTP/1.1 with an HTTP/2 server if told so', { skip: needs('openssl') }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'cfs-http-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const certificates = makeCertificates(folder);
    const server = await openServer(t, { a: 'text' }, { protocol: 'http2', certificates });
    await openTransport(t, { http2: false, tls: { caFile: certificates.ca } }).fetchBytes({
      bases: [server.url],
      path: 'a',
    });
    assert.equal(server.requests[0]?.httpVersion, '1.1');
  });

  test('its options can be sent to a worker', (t) => {
    const { options } = openTransport(t, { rateLimit: createRateLimit(1000), headers: [['a', 'b']] });
    assert.deepEqual(openTransport(t, structuredClone(options)).options, options);
  });

  test('refuses options that make no sense', (t) => {
    for (const options of [{ connections: 0 }, { retries: -1 }, { watchdog: 0 }, { backoff: NaN }]) {
      assert.throws(() => openTransport(t, options), RangeError);
    }
  });

  test('a FetchError survives the way from a worker', () => {
    const error = new FetchError('http://h/a', 'Server returned HTTP 500', 6, 500, new Error('why'));
    const copy = deserializeError(structuredClone(serializeError(error)));
    assert.ok(copy instanceof FetchError);
    assert.deepEqual([copy.url, copy.status, copy.attempts, copy.code], ['http://h/a', 500, 6, 'FETCH']);
    assert.equal(copy.message, 'Cannot fetch http://h/a: Server returned HTTP 500 (6 attempts)');
  });
});
