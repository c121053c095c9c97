import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { CfsError, FetchError, NotFoundError } from '../../../bytes/errors.ts';
import { needs } from '../../needs.ts';
import { makeCertificates } from './certificates.ts';
import { type Fault, FaultyServer, randomFaults } from './faulty-server.ts';
import { Collector, noise, openServer, openTransport } from './open-transport.ts';

/** A fault for the first `times` requests. */
function first(times: number, fault: Fault): (request: { nth: number }) => Fault | undefined {
  return ({ nth }) => (nth < times ? fault : undefined);
}

async function deadUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

const body = noise(300_000);

suite('a transport tries again after', () => {
  const rows: [name: string, fault: Fault][] = [
    ['500', { kind: 'status', status: 500 }],
    ['408', { kind: 'status', status: 408 }],
    ['429', { kind: 'status', status: 429 }],
    ['503', { kind: 'status', status: 503 }],
    ['a reset connection', { kind: 'reset' }],
    ['a body cut short', { kind: 'cut', after: 1000 }],
    ['a body cut short at its start', { kind: 'cut', after: 0 }],
  ];
  for (const [name, fault] of rows) {
    test(name, async (t) => {
      const server = await openServer(t, { a: body }, { fault: first(5, fault) });
      const result = await openTransport(t).fetchBytes({ bases: [server.url], path: 'a' });
      assert.ok(body.equals(result.bytes));
      assert.equal(result.attempts, 6);
    });
  }

  const stalls: [name: string, fault: Fault, options: object][] = [
    ['a stall in front of the header', { kind: 'stall' }, { lowSpeedTime: 100 }],
    ['a stall in the body', { kind: 'stall', after: 5000 }, { lowSpeedTime: 100 }],
    ['a body that drips', { kind: 'drip', every: 10 }, { lowSpeedTime: 100 }],
    ['a header that drips', { kind: 'drip-header', every: 10 }, { lowSpeedTime: 100 }],
  ];
  for (const [name, fault, options] of stalls) {
    test(name, async (t) => {
      const server = await openServer(t, { a: body }, { fault: first(2, fault) });
      const result = await openTransport(t, options).fetchBytes({ bases: [server.url], path: 'a' });
      assert.ok(body.equals(result.bytes));
      assert.equal(result.attempts, 3);
    });
  }
});

suite('a transport that always fails', () => {
  const rows: [name: string, fault: Fault, requests: number][] = [
    ['500', { kind: 'status', status: 500 }, 4],
    ['401', { kind: 'status', status: 401 }, 1],
    ['418', { kind: 'status', status: 418 }, 4],
  ];
  for (const [name, fault, requests] of rows) {
    test(`names URL and status after ${name}`, async (t) => {
      const server = await openServer(t, {}, { fault: () => fault });
      const fetch = openTransport(t, { retries: 3 }).fetchBytes({ bases: [server.url], path: 'a' });
      await assert.rejects(fetch, (error: unknown) => {
        assert.ok(error instanceof FetchError);
        assert.deepEqual([error.url, error.status, error.attempts], [`${server.url}/a`, Number(name), requests]);
        assert.match(error.message, new RegExp(`^Cannot fetch ${server.url}/a: Server returned HTTP ${name} `));
        return true;
      });
      assert.equal(server.requests.length, requests);
    });
  }

  test('ends after its retries when nobody listens', async (t) => {
    const url = await deadUrl();
    await assert.rejects(openTransport(t).fetchBytes({ bases: [url], path: 'a' }), (error: unknown) => {
      assert.ok(error instanceof FetchError);
      assert.deepEqual([error.status, error.attempts], [undefined, 6]);
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
  });

  test('ends when the name of the host is unknown', async (t) => {
    const fetch = openTransport(t, { retries: 1 }).fetchBytes({ bases: ['http://nowhere.invalid'], path: 'a' });
    await assert.rejects(fetch, (error: unknown) => error instanceof FetchError && error.attempts === 2);
  });

  test('ends at the watchdog when the server sends nothing', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    const transport = openTransport(t, { watchdog: 300, retries: 100 });
    const started = performance.now();
    await assert.rejects(transport.fetchBytes({ bases: [server.url], path: 'a' }), /No progress for 0\.3 s/);
    assert.ok(performance.now() - started < 1500);
    assert.equal(server.requests.length, 1);
  });

  test('counts the watchdog over several slow attempts', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    const transport = openTransport(t, { watchdog: 300, lowSpeedTime: 100, retries: 100 });
    await assert.rejects(transport.fetchBytes({ bases: [server.url], path: 'a' }), /No progress for 0\.3 s/);
    assert.ok(server.requests.length >= 2 && server.requests.length <= 4, `${server.requests.length} requests`);
  });

  test('ends when an HTTPS server never finishes the handshake', async (t) => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const transport = openTransport(t, { connectTimeout: 200, retries: 0 });
    const started = performance.now();
    await assert.rejects(transport.fetchBytes({ bases: [`https://127.0.0.1:${port}`], path: 'a' }), /Timeout/i);
    assert.ok(performance.now() - started < 2500);
  });

  test('does not try again when told to only after 408 and 500', async (t) => {
    const transport = openTransport(t, { retryAll: false });
    for (const [status, requests] of [
      [503, 1],
      [500, 6],
      [408, 6],
    ] as const) {
      const server = await openServer(t, {}, { fault: () => ({ kind: 'status', status }) });
      await assert.rejects(transport.fetchBytes({ bases: [server.url], path: 'a' }), FetchError);
      assert.equal(server.requests.length, requests);
    }
    const fetch = transport.fetchBytes({ bases: [await deadUrl()], path: 'a' });
    await assert.rejects(fetch, (error: unknown) => error instanceof FetchError && error.attempts === 1);
  });

  test('refuses header fields that are too long, and does not try again', async (t) => {
    const server = await openServer(t, { a: 'text' }, { fault: () => ({ kind: 'long-header', bytes: 20_000 }) });
    const fetch = openTransport(t, { maxHeaderBytes: 10_000 }).fetchBytes({ bases: [server.url], path: 'a' });
    await assert.rejects(fetch, (error: unknown) => error instanceof FetchError && /too long/.test(error.message));
    assert.equal(server.requests.length, 1);
  });
});

suite('Retry-After', () => {
  test('is waited for', async (t) => {
    const server = await openServer(
      t,
      { a: 'text' },
      { fault: first(1, { kind: 'status', status: 429, retryAfter: '1' }) },
    );
    const started = performance.now();
    await openTransport(t).fetchBytes({ bases: [server.url], path: 'a' });
    assert.ok(performance.now() - started >= 950);
  });

  test('does not hold up other mirrors', async (t) => {
    const busy = await openServer(
      t,
      { a: 'text' },
      { fault: () => ({ kind: 'status', status: 429, retryAfter: '100' }) },
    );
    const other = await openServer(t, { a: 'text' }, { fault: first(2, { kind: 'reset' }) });
    const result = await openTransport(t).fetchBytes({ bases: [busy.url, other.url], path: 'a' });
    assert.equal(result.base, other.url);
    assert.equal(busy.requests.length, 1);
  });

  test('beyond what is allowed is an error', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 503, retryAfter: '3600' }) });
    const fetch = openTransport(t).fetchBytes({ bases: [server.url], path: 'a' });
    await assert.rejects(fetch, /503 \(Service Unavailable\), and asks to wait 3600 s/);
  });
});

suite('a large file that is cut', () => {
  const large = noise(1_000_000);
  const cut: Fault = { kind: 'cut', after: 200_000 };

  test('goes on by Range with If-Range', async (t) => {
    const server = await openServer(t, { a: large }, { fault: first(3, cut) });
    const sink = new Collector();
    const result = await openTransport(t).fetchStream({ bases: [server.url], path: 'a' }, sink);
    assert.ok(large.equals(sink.bytes));
    assert.deepEqual([sink.restarts, result.joined], [0, true]);
    assert.ok(server.bytes <= large.length, `${server.bytes} bytes were sent`);
    const ranges = server.requests.slice(1).map(({ headers }) => headers);
    assert.ok(
      ranges.every(({ range, 'if-range': ifRange }) => /^bytes=\d+-$/.test(range ?? '') && ifRange !== undefined),
    );
  });

  test('may be cut more often than there are retries, as long as it gets on', async (t) => {
    const server = await openServer(t, { a: large }, { fault: first(3, { kind: 'cut', after: 300_000 }) });
    const sink = new Collector();
    await openTransport(t, { retries: 1 }).fetchStream({ bases: [server.url], path: 'a' }, sink);
    assert.ok(large.equals(sink.bytes));
  });

  test('starts over when the server ignores Range', async (t) => {
    const fault = ({ nth }: { nth: number }): Fault => (nth < 1 ? cut : { kind: 'no-range' });
    const server = await openServer(t, { a: large }, { fault });
    const sink = new Collector();
    const result = await openTransport(t).fetchStream({ bases: [server.url], path: 'a' }, sink);
    assert.ok(large.equals(sink.bytes));
    assert.deepEqual([sink.restarts, result.joined], [1, false]);
  });

  test('ends although a server ignores Range and always cuts', async (t) => {
    const fault = ({ nth }: { nth: number }): Fault => ({ kind: 'cut', after: nth % 2 === 0 ? 400_000 : 100_000 });
    const server = await openServer(t, { a: large }, { fault, headers: { etag: '' } });
    const fetch = openTransport(t).fetchStream({ bases: [server.url], path: 'a' }, new Collector());
    await assert.rejects(fetch, FetchError);
    assert.ok(server.requests.length <= 8, `${server.requests.length} requests`);
  });

  for (const [name, etag, lastModified, date, immutable, restarts] of [
    ['starts over without a validator', '', '', '', false, 1],
    ['starts over with a weak ETag', 'W/"1"', '', '', false, 1],
    [
      'starts over with a date that is too new',
      '',
      'Sat, 21 Nov 2026 10:00:00 GMT',
      'Sat, 21 Nov 2026 10:00:05 GMT',
      false,
      1,
    ],
    ['goes on with an old date', '', 'Sat, 21 Nov 2026 10:00:00 GMT', 'Sat, 21 Nov 2026 11:00:00 GMT', false, 0],
    ['goes on without a validator if it is immutable', '', '', '', true, 0],
  ] as const) {
    test(name, async (t) => {
      const dates = lastModified === '' ? {} : { 'last-modified': lastModified, date };
      const server = await openServer(t, { a: large }, { fault: first(1, cut), headers: { etag, ...dates } });
      const sink = new Collector();
      await openTransport(t).fetchStream({ bases: [server.url], path: 'a', immutable }, sink);
      assert.ok(large.equals(sink.bytes));
      assert.equal(sink.restarts, restarts);
    });
  }

  test('starts over when it has changed meanwhile', async (t) => {
    const changed = noise(900_000, 7);
    const files = new Map([['a', large]]);
    const fault = ({ nth }: { nth: number }): Fault | undefined => {
      if (nth === 0) return cut;
      files.set('a', changed);
      return undefined;
    };
    await using server = await FaultyServer.start({ files, fault });
    const sink = new Collector();
    await openTransport(t).fetchStream({ bases: [server.url], path: 'a', immutable: true }, sink);
    assert.ok(changed.equals(sink.bytes));
    assert.equal(sink.restarts, 1);
  });

  test('starts over at another mirror if it is not immutable', async (t) => {
    const broken = await openServer(t, { a: large }, { fault: () => cut });
    const good = await openServer(t, { a: large });
    const sink = new Collector();
    await openTransport(t).fetchStream({ bases: [broken.url, good.url], path: 'a' }, sink);
    assert.ok(large.equals(sink.bytes));
    assert.equal(sink.restarts, 1);
  });

  test('goes on at another mirror if it is immutable', async (t) => {
    const broken = await openServer(t, { a: large }, { fault: () => cut });
    const good = await openServer(t, { a: large });
    const sink = new Collector();
    const result = await openTransport(t).fetchStream(
      { bases: [broken.url, good.url], path: 'a', immutable: true },
      sink,
    );
    assert.ok(large.equals(sink.bytes));
    assert.deepEqual([sink.restarts, result.base, result.joined], [0, good.url, true]);
    assert.ok(good.bytes < large.length);
  });

  test('starts over when another mirror has it in another length', async (t) => {
    const broken = await openServer(t, { a: large }, { fault: () => cut });
    const other = await openServer(t, { a: large.subarray(1) });
    const sink = new Collector();
    await openTransport(t).fetchStream({ bases: [broken.url, other.url], path: 'a', immutable: true }, sink);
    assert.ok(sink.bytes.equals(large.subarray(1)));
    assert.ok(sink.restarts > 0);
  });
});

suite('mirrors', () => {
  test('are asked in order for each request after any status that is no success', async (t) => {
    for (const status of [404, 500, 403, 401]) {
      const bad = await openServer(t, {}, { fault: () => ({ kind: 'status', status }) });
      const good = await openServer(t, { a: 'text' });
      const result = await openTransport(t).fetchBytes({ bases: [bad.url, good.url], path: 'a' });
      assert.deepEqual([result.base, result.attempts, bad.requests.length], [good.url, 2, 1]);
    }
  });

  test('that fail are asked last afterwards, those that only lack a file are not', async (t) => {
    const failing = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 500 }) });
    const lacking = await openServer(t, {});
    const good = await openServer(t, { a: 'text' });
    const transport = openTransport(t);
    const request = { bases: [failing.url, lacking.url, good.url], path: 'a' };
    for (let i = 0; i < 5; i++) await transport.fetchBytes(request);
    assert.deepEqual(
      [failing, lacking, good].map(({ requests }) => requests.length),
      [1, 5, 5],
    );
  });

  test('are left when they stall', async (t) => {
    const stalling = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    const good = await openServer(t, { a: 'text' });
    const transport = openTransport(t, { watchdog: 200 });
    const result = await transport.fetchBytes({ bases: [stalling.url, good.url], path: 'a' });
    assert.equal(result.base, good.url);
  });

  test('that send too much are left for others', async (t) => {
    const endless = await openServer(t, {}, { fault: () => ({ kind: 'endless' }) });
    const good = await openServer(t, { a: 'text' });
    const result = await openTransport(t).fetchBytes({ bases: [endless.url, good.url], path: 'a' }, { limit: 1000 });
    assert.equal(Buffer.from(result.bytes).toString(), 'text');
  });

  test('must all say that a file is not there, to believe it', async (t) => {
    const lacking = await openServer(t, {});
    const also = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 410 }) });
    const transport = openTransport(t, { retries: 1 });
    await assert.rejects(transport.fetchBytes({ bases: [lacking.url, also.url], path: 'a' }), NotFoundError);
    for (const bases of [
      [await deadUrl(), lacking.url],
      [lacking.url, await deadUrl()],
    ]) {
      await assert.rejects(transport.fetchBytes({ bases, path: 'a' }), FetchError);
    }
  });

  test('none is an error', async (t) => {
    await assert.rejects(openTransport(t).fetchBytes({ bases: [], path: 'a' }), FetchError);
  });
});

test('a transport asks for less at a time after connections have failed', async (t) => {
  const failures = 40;
  const server = await openServer(t, {});
  const { requests } = server;
  server.fault = () => (requests.length <= failures ? { kind: 'reset' } : { kind: 'stall' });
  const transport = openTransport(t, { connections: 8, retries: 20, watchdog: 500 });
  const fetches = Array.from({ length: 8 }, (_, i) => transport.fetchBytes({ bases: [server.url], path: `${i}` }));
  const ended = Promise.allSettled(fetches);
  while (requests.length <= failures) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.ok(requests.length - failures <= 2, `${requests.length - failures} requests at a time`);
  await transport.close();
  await ended;
});

suite('many files with faults by chance', () => {
  const faults: Fault[] = [
    { kind: 'status', status: 500 },
    { kind: 'status', status: 408 },
    { kind: 'status', status: 429, retryAfter: '0' },
    { kind: 'reset' },
    { kind: 'cut', after: 70_000 },
    { kind: 'cut', after: 0 },
  ];
  /** Those that leave nothing to go on with. */
  const atOnce = faults.filter((fault) => !('after' in fault && fault.after !== undefined && fault.after > 0));
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`objects/${i}`, noise(1000 * (i + 1), i)]));

  for (const seed of [1, 2, 3]) {
    test(`all arrive at 50 %, seed ${seed}`, async (t) => {
      const server = await openServer(t, files, { fault: randomFaults(seed, 0.5, faults) });
      const transport = openTransport(t, { retries: 10 });
      await Promise.all(
        Object.entries(files).map(async ([path, expected]) => {
          const sink = new Collector();
          await transport.fetchStream({ bases: [server.url], path, immutable: true }, sink);
          assert.ok(expected.equals(sink.bytes), path);
        }),
      );
      assert.ok(server.requests.length > 150);
    });
  }

  for (const protocol of ['https', 'http2'] as const) {
    test(`all arrive at 50 % over ${protocol}`, { skip: needs('openssl') }, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'cfs-http-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const certificates = makeCertificates(folder);
      const stalls: Fault[] = [{ kind: 'stall' }, { kind: 'stall', after: 500 }];
      const fault = randomFaults(5, 0.5, [...faults, ...stalls]);
      const server = await openServer(t, files, { protocol, certificates, fault });
      const tls = { caFile: certificates.ca };
      const transport = openTransport(t, { retries: 10, lowSpeedTime: 200, http2Streams: 16, tls });
      await Promise.all(
        Object.entries(files)
          .slice(60)
          .map(async ([path, expected]) => {
            const sink = new Collector();
            await transport.fetchStream({ bases: [server.url], path, immutable: true }, sink);
            assert.ok(expected.equals(sink.bytes), path);
          }),
      );
    });
  }

  test('all fail in bounded time at 100 %', async (t) => {
    const server = await openServer(t, files, { fault: randomFaults(4, 1, atOnce) });
    const transport = openTransport(t, { retries: 2 });
    const paths = Object.keys(files).slice(0, 40);
    const results = await Promise.allSettled(paths.map((path) => transport.fetchBytes({ bases: [server.url], path })));
    for (const result of results) {
      assert.ok(result.status === 'rejected' && result.reason instanceof CfsError);
      assert.ok(String(result.reason.facts['url']).startsWith(server.url));
    }
    assert.ok(server.requests.length <= paths.length * 5);
  });

  test('wrong bytes and HTML are passed on: checksums are the receiver’s', async (t) => {
    const server = await openServer(
      t,
      { a: 'text' },
      { fault: ({ nth }) => ({ kind: nth === 0 ? 'html' : 'wrong-bytes' }) },
    );
    const transport = openTransport(t);
    const bytes = async (): Promise<Buffer> =>
      Buffer.from((await transport.fetchBytes({ bases: [server.url], path: 'a' })).bytes);
    assert.match((await bytes()).toString(), /^<html>/);
    assert.deepEqual(
      await bytes(),
      Buffer.from('text').map((byte) => byte ^ 0xff),
    );
  });
});
