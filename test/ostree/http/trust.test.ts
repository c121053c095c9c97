/** Redirects, credentials, certificates and proxies: who is believed, and who is told what. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { FetchError } from '../../../bytes/errors.ts';
import { needs } from '../../needs.ts';
import { type Certificates, makeCertificates } from './certificates.ts';
import type { Fault } from './faulty-server.ts';
import { noise, openServer, openTransport } from './open-transport.ts';
import { startProxy } from './test-proxy.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'cfs-http-'));
});
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** `http://user:password@host:port` */
function withLogin(url: string, login: string): string {
  return url.replace('://', `://${login}@`);
}

suite('redirects', () => {
  const to = (target: string): ((request: { path: string }) => Fault | undefined) => {
    return ({ path }) => (path === 'a' ? { kind: 'redirect', to: target } : undefined);
  };

  for (const status of [301, 302, 303, 307, 308]) {
    test(`with ${status} are followed, relative ones too`, async (t) => {
      const fault = ({ path }: { path: string }): Fault | undefined =>
        path === 'x/a' ? { kind: 'redirect', to: '../b', status } : undefined;
      const server = await openServer(t, { b: 'text' }, { fault });
      const result = await openTransport(t).fetchBytes({ bases: [server.url], path: 'x/a' });
      assert.equal(Buffer.from(result.bytes).toString(), 'text');
    });
  }

  test('in a loop are refused', async (t) => {
    const fault = ({ path }: { path: string }): Fault => ({ kind: 'redirect', to: path === 'a' ? '/b' : '/a' });
    const server = await openServer(t, {}, { fault });
    const fetch = openTransport(t, { retries: 0 }).fetchBytes({ bases: [server.url], path: 'a' });
    await assert.rejects(fetch, /Redirected in a loop/);
    assert.equal(server.requests.length, 2);
  });

  test('without end are refused', async (t) => {
    const fault = ({ path }: { path: string }): Fault => ({ kind: 'redirect', to: `/${path}x` });
    const server = await openServer(t, {}, { fault });
    const fetch = openTransport(t, { maxRedirects: 3 }).fetchBytes({ bases: [server.url], path: 'a' });
    await assert.rejects(fetch, /Redirected more than 3 times/);
    assert.equal(server.requests.length, 4);
  });

  for (const target of ['ftp://h/', 'file:///etc/passwd', 'http://[', 'javascript:1']) {
    test(`to ${target} are refused`, async (t) => {
      const server = await openServer(t, {}, { fault: to(target) });
      await assert.rejects(openTransport(t).fetchBytes({ bases: [server.url], path: 'a' }), FetchError);
      assert.equal(server.requests.length, 1);
    });
  }

  test('from https to http are refused unless allowed', { skip: needs('openssl') }, async (t) => {
    const certificates = makeCertificates(folder);
    const plain = await openServer(t, { b: 'text' });
    const server = await openServer(t, {}, { protocol: 'https', certificates, fault: to(`${plain.url}/b`) });
    const tls = { caFile: certificates.ca };
    const request = { bases: [server.url], path: 'a' };
    await assert.rejects(openTransport(t, { tls }).fetchBytes(request), /from https to .* not secure/);
    assert.equal((await openTransport(t, { tls, insecureRedirects: true }).fetchBytes(request)).bytes.length, 4);
  });

  test('to another origin take no credentials along, nor back', async (t) => {
    const other = await openServer(t, {});
    const home = await openServer(t, { c: 'text' }, { fault: to(`${withLogin(other.url, 'evil:evil')}/b`) });
    other.fault = () => ({ kind: 'redirect', to: `${home.url}/c` });
    const netrcFile = file('netrc', 'machine 127.0.0.1 login n password p\n');
    const headers = [['X-Token', 'secret']] as const;
    const transport = openTransport(t, {
      netrcFile,
      headers,
      auth: { origins: [home.url, other.url], basic: { user: 'u', password: 'p' } },
    });
    await transport.fetchBytes({ bases: [home.url], path: 'a' });
    const sent = [...home.requests, ...other.requests].map(({ path, headers: fields }) => [
      path,
      fields.authorization,
      fields['x-token'],
    ]);
    assert.deepEqual(sent, [
      ['a', basic('u:p'), 'secret'],
      ['c', undefined, undefined],
      ['b', undefined, undefined],
    ]);
  });

  test('within an origin take credentials along', async (t) => {
    const server = await openServer(t, { b: 'text' }, { fault: to('/b') });
    await openTransport(t).fetchBytes({ bases: [withLogin(server.url, 'u:p')], path: 'a' });
    assert.deepEqual(
      server.requests.map(({ headers }) => headers.authorization),
      [basic('u:p'), basic('u:p')],
    );
  });
});

suite('credentials', () => {
  test('in a URL are unescaped and sent to that origin only', async (t) => {
    const first = await openServer(t, {});
    const second = await openServer(t, { a: 'text' });
    await openTransport(t).fetchBytes({ bases: [withLogin(first.url, 'u%40x:p%3A'), second.url], path: 'a' });
    assert.equal(first.requests[0]?.headers.authorization, basic('u@x:p:'));
    assert.equal(second.requests[0]?.headers.authorization, undefined);
  });

  test('of a bearer token go to the named origins only', async (t) => {
    const [first, second] = [await openServer(t, {}), await openServer(t, { a: 'text' })];
    const bearerFile = file('token', ' token123\n');
    const transport = openTransport(t, { auth: { origins: [`${first.url}/repo`], bearerFile } });
    await transport.fetchBytes({ bases: [first.url, second.url], path: 'a' });
    assert.equal(first.requests[0]?.headers.authorization, 'Bearer token123');
    assert.equal(second.requests[0]?.headers.authorization, undefined);
  });

  test('of a netrc file go to their machine', async (t) => {
    const server = await openServer(t, { a: 'text' });
    const netrcFile = file('netrc', 'machine other login x password y\nmachine 127.0.0.1\n  login me password "a b"\n');
    await openTransport(t, { netrcFile }).fetchBytes({ bases: [server.url], path: 'a' });
    assert.equal(server.requests[0]?.headers.authorization, basic('me:a b'));
  });

  test('never show in errors', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 401 }) });
    const dead = 'http://u:secret@127.0.0.1:1';
    const redirecting = await openServer(t, {}, { fault: () => ({ kind: 'redirect', to: 'ftp://u:secret@h/' }) });
    const transport = openTransport(t, { retries: 0 });
    for (const bases of [
      [withLogin(server.url, 'u:secret')],
      [dead],
      [redirecting.url],
      [dead, withLogin(server.url, 'u:secret')],
    ]) {
      await assert.rejects(transport.fetchBytes({ bases, path: 'a' }), (error: unknown) => {
        assert.ok(error instanceof FetchError);
        assert.doesNotMatch(
          `${error.message} ${error.url} ${JSON.stringify(error.facts)} ${String(error.cause)}`,
          /secret/,
        );
        return true;
      });
    }
    const proxied = openTransport(t, { proxy: 'http://u:secret@127.0.0.1:1', retries: 0 });
    await assert.rejects(
      proxied.fetchBytes({ bases: [server.url], path: 'a' }),
      (error: unknown) => !/secret/.test(String(error)),
    );
    const badProxy = openTransport(t, { proxy: 'gopher://u:secret@h' });
    await assert.rejects(
      badProxy.fetchBytes({ bases: [server.url], path: 'a' }),
      (error: unknown) => !/secret/.test(String(error)),
    );
  });

  test('cookies of a jar go where they belong', async (t) => {
    const server = await openServer(t, { 'repo/a': 'text' });
    const jar = ['127.0.0.1', 'FALSE', '/repo', 'FALSE', '0', 'id', '42'].join('\t');
    const elsewhere = ['example.org', 'TRUE', '/', 'FALSE', '0', 'id', '43'].join('\t');
    const cookieFile = file('cookies', `# Netscape HTTP Cookie File\n${jar}\n${elsewhere}\n`);
    await openTransport(t, { cookieFile }).fetchBytes({ bases: [`${server.url}/repo`], path: 'a' });
    assert.equal(server.requests[0]?.headers.cookie, 'id=42');
  });
});

suite('header fields', () => {
  test('name the program, add what is asked, and ask for no compression', async (t) => {
    const server = await openServer(t, { a: 'text' });
    const headers = [
      ['X-One', '1'],
      ['x-one', '2'],
      ['Authorization', 'Custom 1'],
    ] as const;
    await openTransport(t, { headers }).fetchBytes({ bases: [server.url], path: 'a' });
    const {
      'user-agent': agent,
      accept,
      'accept-encoding': encoding,
      authorization,
      'x-one': one,
    } = server.requests[0]?.headers ?? {};
    assert.match(agent ?? '', /^cfs\/\d+\.\d+\.\d+/);
    assert.deepEqual([accept, encoding, authorization, one], ['*/*', undefined, 'Custom 1', '1, 2']);
  });

  for (const [name, value] of [
    ['a b', '1'],
    ['x', 'a\r\nHost: evil'],
    ['Host', 'x'],
    ['Range', 'x'],
    ['', 'x'],
    ['x', 'secret\u0000'],
  ] as const) {
    test(`${JSON.stringify(name)}: ${JSON.stringify(value)} is refused`, (t) => {
      assert.throws(
        () => openTransport(t, { headers: [[name, value]] }),
        (error: unknown) => !String(error).includes('secret'),
      );
    });
  }
});

suite('TLS', { skip: needs('openssl') }, () => {
  let certificates: Certificates;
  before(() => {
    certificates = makeCertificates(folder);
  });
  const request = (url: string): { bases: string[]; path: string } => ({ bases: [url], path: 'a' });

  test('refuses a certificate of an unknown authority without trying again', async (t) => {
    const server = await openServer(t, { a: 'text' }, { protocol: 'https', certificates });
    await assert.rejects(openTransport(t).fetchBytes(request(server.url)), (error: unknown) => {
      assert.ok(error instanceof FetchError);
      assert.equal(error.attempts, 1);
      assert.match(error.message, /certificate/);
      return true;
    });
  });

  test('refuses a certificate for another name', async (t) => {
    const server = await openServer(t, { a: 'text' }, { protocol: 'https', certificates });
    const transport = openTransport(t, { tls: { caFile: certificates.ca } });
    const other = server.url.replace('127.0.0.1', '127.0.0.2');
    await assert.rejects(transport.fetchBytes(request(other)), FetchError);
  });

  test('accepts any certificate if permissive', async (t) => {
    const server = await openServer(t, { a: 'text' }, { protocol: 'https', certificates });
    const result = await openTransport(t, { tls: { permissive: true } }).fetchBytes(request(server.url));
    assert.equal(result.bytes.length, 4);
  });

  test('shows a client certificate', async (t) => {
    const server = await openServer(t, { a: 'text' }, { protocol: 'https', certificates, clientCertificates: true });
    const tls = { caFile: certificates.ca, certFile: certificates.clientCert, keyFile: certificates.clientKey };
    assert.equal((await openTransport(t, { tls }).fetchBytes(request(server.url))).bytes.length, 4);
    const without = openTransport(t, { tls: { caFile: certificates.ca }, retries: 1 });
    await assert.rejects(without.fetchBytes(request(server.url)), FetchError);
    const half = openTransport(t, { tls: { certFile: certificates.clientCert } });
    await assert.rejects(half.fetchBytes(request(server.url)), { code: 'USAGE' });
  });

  test('goes through the tunnel of a proxy', async (t) => {
    const body = noise(500_000);
    for (const protocol of ['https', 'http2'] as const) {
      await using proxy = await startProxy('pw');
      const server = await openServer(t, { a: body }, { protocol, certificates });
      const options = { tls: { caFile: certificates.ca }, proxy: withLogin(proxy.url, 'user:pw') };
      const transport = openTransport(t, options);
      assert.ok(body.equals((await transport.fetchBytes(request(server.url))).bytes));
      assert.deepEqual([proxy.tunnelled.length, proxy.forwarded.length], [1, 0]);
      const wrong = openTransport(t, { ...options, proxy: proxy.url });
      await assert.rejects(wrong.fetchBytes(request(server.url)), (error: unknown) => {
        return error instanceof FetchError && error.attempts === 1 && error.message.includes('407');
      });
      await wrong.close();
      await transport.close();
    }
  });
});

suite('a proxy', () => {
  test('of the remote forwards http, with its own password', async (t) => {
    await using proxy = await startProxy('pw');
    const server = await openServer(t, { a: 'text' });
    const transport = openTransport(t, { proxy: withLogin(proxy.url, 'user:pw') });
    assert.equal((await transport.fetchBytes({ bases: [server.url], path: 'a' })).bytes.length, 4);
    assert.equal(proxy.forwarded.length, 1);
    assert.equal(server.requests[0]?.headers['proxy-authorization'], undefined);
    await transport.close();
    const wrong = openTransport(t, { proxy: proxy.url });
    const fetch = wrong.fetchBytes({ bases: [server.url], path: 'a' });
    await assert.rejects(fetch, (error: unknown) => error instanceof FetchError && error.attempts === 1);
    await wrong.close();
  });

  test('of the environment counts unless the remote says none', async (t) => {
    await using proxy = await startProxy();
    const server = await openServer(t, { a: 'text' });
    const request = { bases: [server.url], path: 'a' };
    for (const [options, expected] of [
      [{ environment: { http_proxy: proxy.url } }, 1],
      [{ environment: { ALL_PROXY: proxy.url } }, 2],
      [{ environment: { http_proxy: proxy.url }, proxy: '' }, 2],
      [{ environment: { http_proxy: proxy.url, NO_PROXY: '127.0.0.1' } }, 2],
      [{ environment: { https_proxy: proxy.url } }, 2],
    ] as const) {
      const transport = openTransport(t, options);
      await transport.fetchBytes(request);
      assert.equal(proxy.forwarded.length, expected);
      await transport.close();
    }
  });

  test('that accepts and says nothing ends at the watchdog', { skip: needs('openssl') }, async (t) => {
    const silent = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    for (const url of ['http://127.0.0.1:9', 'https://127.0.0.1:9']) {
      const transport = openTransport(t, { proxy: silent.url, watchdog: 200 });
      await assert.rejects(transport.fetchBytes({ bases: [url], path: 'a' }), FetchError);
      await transport.close();
    }
  });
});
