/** The transport's small parts that need no server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { Base, hrefOf } from '../../../ostree/http/base.ts';
import { cookieHeader, parseCookieJar } from '../../../ostree/http/cookies.ts';
import { backoff, parseRetryAfter } from '../../../ostree/http/failure.ts';
import { Lane } from '../../../ostree/http/lane.ts';
import { Mirrors } from '../../../ostree/http/mirrors.ts';
import { netrcCredentials, parseNetrc } from '../../../ostree/http/netrc.ts';
import { proxyFor } from '../../../ostree/http/proxy.ts';
import { createRateLimit, reserveBytes } from '../../../ostree/http/rate-limit.ts';
import { trafficCounter, createTraffic, receivedBytes } from '../../../ostree/http/traffic.ts';
import { joinUrl, scrub, withoutCredentials } from '../../../ostree/http/url.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { noise, openServer, openTransport } from './open-transport.ts';

suite('URLs', () => {
  const joins: [base: string, path: string, joined: string][] = [
    ['http://h', 'a/b', 'http://h/a/b'],
    ['http://h/r///', '//a', 'http://h/r/a'],
    ['http://h/r', 'deltas/a+b_c', 'http://h/r/deltas/a+b_c'],
    ['http://h/r?x', '', 'http://h/r?x'],
  ];
  for (const [base, path, joined] of joins) {
    test(`joinUrl() joins ${base} and ${path}`, () => assert.equal(joinUrl(base, path).href, joined));
  }

  const shown: [text: string, shown: string][] = [
    ['http://u:p@h/a', 'http://h/a'],
    ['http://u:p@q@h/a@b', 'http://h/a@b'],
    ['http://u:p/x@h:y/', 'http://h:y/'],
    ['u:p@h', 'h'],
    ['http://h/a#x', 'http://h/a'],
  ];
  for (const [text, expected] of shown) {
    test(`withoutCredentials() makes ${text} ${expected}`, () => assert.equal(withoutCredentials(text), expected));
  }
  test('scrub() finds URLs in text', () => {
    assert.equal(scrub('from http://u:p@h/a to https://t@h/b, x@y'), 'from http://h/a to https://h/b, x@y');
  });
});

suite('Base', () => {
  const bases = [
    'http://h',
    'http://h:81/r//',
    'https://u:p@h/a%20b/ü',
    'http://h/r?token=x',
    'http://H/r/../s/',
    'http://h/r#f',
  ];
  const names = [
    '',
    'config',
    'objects/ab/cd.filez',
    'deltas/a+b/c_d-~',
    'refs/heads/a b',
    '..',
    'a/../b',
    './x',
    '/x',
    'a?b',
    'a%2fb',
    'a//b',
  ];
  test('target() is where joinUrl() leads, for any path', () => {
    const path = fc.oneof(
      fc.constantFrom(...names),
      fc.string(),
      fc.string({ unit: fc.constantFrom(...Array.from('ab.~/+-_%?#: @ü')) }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...bases), path, (base, name) => {
        const { origin, pathname, search } = joinUrl(base, name);
        assert.deepEqual(new Base(base).target(name), { origin, path: pathname + search });
      }),
      { numRuns: fuzzRuns },
    );
  });
  test('takes credentials out of what is shown and asked for', () => {
    const base = new Base('https://user:p%40ss@h/r');
    assert.deepEqual(base.credentials, { user: 'user', password: 'p@ss' });
    assert.equal(hrefOf(base.target('config')), 'https://h/r/config');
  });
  test('refuses what is not HTTP', () => {
    for (const text of ['ftp://h/', '/r', 'h']) assert.throws(() => new Base(text), { code: 'USAGE' });
  });
});

suite('received bytes', () => {
  test('are counted by all threads', async () => {
    const traffic = createTraffic();
    const count = trafficCounter(traffic);
    count(5);
    const code = `import { trafficCounter } from ${JSON.stringify(new URL('../../../ostree/http/traffic.ts', import.meta.url).href)};
      import { workerData } from 'node:worker_threads';
      trafficCounter(workerData)(2 ** 40);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: traffic });
    await once(worker, 'exit');
    count(0);
    assert.equal(receivedBytes(traffic), 2 ** 40 + 5);
  });
});

suite('parseNetrc()', () => {
  test('finds machines, the default, quoted words, and skips macros and comments', () => {
    const netrc = parseNetrc(
      '# machine no login no\nmachine A.org login a password "x \\"y" account z\nmacdef m\nmachine fake login f\n\nmachine b.org\n\tlogin b\n\tpassword #1\ndefault login d password e\nmachine a.org login second password s',
    );
    assert.deepEqual(netrcCredentials(netrc, 'a.org'), { user: 'a', password: 'x "y' });
    assert.deepEqual(netrcCredentials(netrc, 'B.ORG'), { user: 'b', password: '#1' });
    assert.equal(netrcCredentials(netrc, 'fake')?.user, 'd');
    assert.equal(netrcCredentials(parseNetrc('machine x'), 'y'), undefined);
  });
  test('takes any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void parseNetrc(`machine ${text}`)),
      { numRuns: fuzzRuns },
    );
  });
});

suite('cookieHeader()', () => {
  const jar = parseCookieJar(
    [
      '.example.org\tTRUE\t/\tFALSE\t0\twide\t1',
      '#HttpOnly_example.org\tFALSE\t/repo\tTRUE\t0\tnarrow\t2',
      'example.org\tFALSE\t/\tFALSE\t1000\told\t3',
      '# comment\tTRUE\t/\tFALSE\t0\tno\t0',
      'example.org\tFALSE\t/\tFALSE\t0\tevil\tx\u0001',
      'broken',
    ].join('\n'),
  );
  const rows: [url: string, expected: string | undefined][] = [
    ['https://example.org/repo/a', 'narrow=2; wide=1'],
    ['http://example.org/repo/a', 'wide=1'],
    ['https://example.org/repository', 'wide=1'],
    ['https://sub.example.org/repo', 'wide=1'],
    ['https://badexample.org/', undefined],
    ['https://example.org.evil/', undefined],
  ];
  for (const [url, expected] of rows) {
    test(`for ${url} is ${expected}`, () => assert.equal(cookieHeader(jar, new URL(url), 2000), expected));
  }
  test('drops cookies when they expire', () => {
    assert.equal(cookieHeader(jar, new URL('http://example.org/'), 999), 'wide=1; old=3');
  });
});

suite('proxyFor()', () => {
  const all = { http_proxy: 'http://p:1', HTTPS_PROXY: 'q:2', all_proxy: 'socks5://s:3' };
  const rows: [name: string, url: string, environment: Record<string, string>, expected: string | undefined][] = [
    ['http', 'http://h/', all, 'http://p:1'],
    ['https, by an upper-case name without a scheme', 'https://h/', all, 'http://q:2'],
    ['anything', 'https://h/', { ALL_PROXY: 'http://a' }, 'http://a'],
    ['nothing', 'https://h/', { http_proxy: 'http://p' }, undefined],
    ['an empty value', 'http://h/', { http_proxy: '' }, undefined],
    ['lower case first', 'http://h/', { HTTP_PROXY: 'http://u', http_proxy: 'http://l' }, 'http://l'],
    ['a CGI program', 'http://h/', { HTTP_PROXY: 'http://evil', REQUEST_METHOD: 'GET' }, undefined],
    ['an exempt host', 'http://h/', { ...all, no_proxy: 'x, h' }, undefined],
    ['an exempt domain', 'http://a.h.org/', { ...all, no_proxy: '.h.org' }, undefined],
    ['an exempt domain without a dot', 'http://a.h.org/', { ...all, NO_PROXY: 'h.org' }, undefined],
    ['a name that only ends alike', 'http://bh.org/', { ...all, no_proxy: 'h.org' }, 'http://p:1'],
    ['an exempt port', 'http://h:81/', { ...all, no_proxy: 'h:81' }, undefined],
    ['another port', 'http://h/', { ...all, no_proxy: 'h:81' }, 'http://p:1'],
    ['everything exempt', 'http://h/', { ...all, no_proxy: '*' }, undefined],
    ['an exempt IPv6 address', 'http://[::1]/', { ...all, no_proxy: '::1' }, undefined],
  ];
  for (const [name, url, environment, expected] of rows) {
    test(`for ${name} is ${expected}`, () => assert.equal(proxyFor(new URL(url), environment), expected));
  }
});

suite('waits', () => {
  test('parseRetryAfter() reads seconds and dates', () => {
    const now = Date.parse('Sat, 21 Nov 2026 10:00:00 GMT');
    const rows: [value: string | undefined, expected: number | undefined][] = [
      ['120', 120_000],
      ['Sat, 21 Nov 2026 10:00:30 GMT', 30_000],
      ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
      ['soon', undefined],
      [undefined, undefined],
    ];
    for (const [value, expected] of rows) assert.equal(parseRetryAfter(value, now), expected);
  });
  test('backoff() grows to its maximum, by chance, and is never below what the server asks', () => {
    const waits = (round: number, asked = 0): number[] =>
      Array.from({ length: 200 }, () => backoff(round, 100, 1000, asked));
    assert.ok(waits(0).every((ms) => ms >= 0 && ms <= 100));
    assert.ok(waits(2).some((ms) => ms > 200) && waits(2).every((ms) => ms <= 400));
    assert.ok(waits(1000).every((ms) => ms <= 1000));
    assert.ok(waits(0, 5000).every((ms) => ms === 5000));
    assert.ok(new Set(waits(0)).size > 100);
  });
});

suite('Lane', () => {
  const never = new AbortController().signal;
  test('halves after three failed connections in a row, and grows again', () => {
    const lane = new Lane(8);
    for (let i = 0; i < 2; i++) lane.connectionFailed();
    lane.connectionWorked();
    for (let i = 0; i < 2; i++) lane.connectionFailed();
    assert.equal(lane.limit, 8);
    lane.connectionFailed();
    assert.equal(lane.limit, 4);
    for (let i = 0; i < 30; i++) lane.connectionFailed();
    assert.equal(lane.limit, 1);
    for (let i = 0; i < 1000; i++) lane.connectionWorked();
    assert.equal(lane.limit, 8);
  });
  test('lets waiting ones in, in their order, and forgets those that gave up', async () => {
    const lane = new Lane(1);
    const order: string[] = [];
    const stop = new AbortController();
    await lane.enter(never);
    const enter = async (name: string, signal: AbortSignal): Promise<void> => {
      await lane.enter(signal);
      order.push(name);
    };
    const quitter = assert.rejects(enter('quitter', stop.signal));
    const others = [enter('a', never), enter('b', never)];
    stop.abort(new Error('gone'));
    await quitter;
    lane.release();
    await others[0];
    assert.deepEqual(order, ['a']);
    lane.widen(2);
    await others[1];
    assert.deepEqual(order, ['a', 'b']);
  });
  test('lets in first what was tried most often', async () => {
    const lane = new Lane(1);
    await lane.enter(never);
    const order: number[] = [];
    const stop = new AbortController();
    const quitter = assert.rejects(async () => await lane.enter(stop.signal, 3));
    const attempts = [1, 2, 1, 4, 2, 3];
    const all = Promise.all(
      attempts.map(async (attempt) => {
        await lane.enter(never, attempt);
        order.push(attempt);
      }),
    );
    stop.abort(new Error('gone'));
    await quitter;
    for (let i = 0; i < attempts.length; i++) lane.release();
    await all;
    assert.deepEqual(
      order,
      attempts.toSorted((a, b) => b - a),
    );
  });
  test('narrow() and divide() let nobody in until there are fewer than they leave, however well it goes', async () => {
    for (const shrink of [(lane: Lane) => lane.narrow(2), (lane: Lane) => lane.divide(4)]) {
      const lane = new Lane(8);
      for (let i = 0; i < 8; i++) assert.equal(lane.enter(never), undefined);
      let entered = false;
      const waiting = Promise.resolve(lane.enter(never)).then(() => (entered = true));
      shrink(lane);
      for (let i = 0; i < 6; i++) lane.release();
      for (let i = 0; i < 1000; i++) lane.connectionWorked();
      await new Promise(setImmediate);
      assert.equal(entered, false);
      assert.equal(lane.limit, 2);
      lane.release();
      await waiting;
      lane.narrow(100);
      assert.equal(lane.limit, 2);
      for (let i = 0; i < 30; i++) lane.connectionFailed();
      assert.equal(lane.limit, 1);
      lane.divide(9);
      assert.equal(lane.limit, 1);
    }
  });
});

suite('Mirrors', () => {
  test('order() puts failing ones last, fewest failures first, until they work', () => {
    const mirrors = new Mirrors();
    const bases = ['a', 'b', 'c'];
    assert.equal(mirrors.order(bases), bases);
    for (const base of ['a', 'a', 'b']) mirrors.failed(base);
    assert.deepEqual(mirrors.order(bases), ['c', 'b', 'a']);
    for (let i = 0; i < 2; i++) mirrors.succeeded('a');
    assert.deepEqual(mirrors.order(bases), ['a', 'c', 'b']);
  });
});

suite('rate limit', () => {
  test('reserveBytes() spreads bytes over time for all who share it', () => {
    const limit = createRateLimit(1_000_000);
    const copy = structuredClone(limit);
    const waits = [limit, copy, limit, copy].map((shared) => reserveBytes(shared, 500_000));
    // The first 200 ms are saved up.
    for (const [i, wait] of waits.entries()) assert.ok(Math.abs(wait - (300 + 500 * i)) < 50, `${wait}`);
    assert.throws(() => createRateLimit(0), RangeError);
  });

  test('holds two transports to one speed', async (t) => {
    const server = await openServer(t, { a: noise(300_000) });
    const rateLimit = createRateLimit(1_000_000);
    const transports = [openTransport(t, { rateLimit }), openTransport(t, { rateLimit: structuredClone(rateLimit) })];
    const started = performance.now();
    await Promise.all(transports.map((transport) => transport.fetchBytes({ bases: [server.url], path: 'a' })));
    const seconds = (performance.now() - started) / 1000;
    assert.ok(seconds > 0.35 && seconds < 2, `${seconds} s`);
  });
});
