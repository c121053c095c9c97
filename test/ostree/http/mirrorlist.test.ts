import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fetchMirrorlist, parseMirrorlist } from '../../../ostree/http/mirrorlist.ts';
import { openServer, openTransport } from './open-transport.ts';

suite('mirror lists', () => {
  test('parseMirrorlist() skips comments, empty lines, other schemes and what is no URL', () => {
    const text =
      '# mirrors\r\n\nhttp://a/repo\n  https://u:p@b/repo \nftp://c/\nhttp://[\nfile:///etc\nhttp://a/repo\nnonsense';
    assert.deepEqual(parseMirrorlist(text), ['http://a/repo', 'https://b/repo']);
    assert.deepEqual(parseMirrorlist(''), []);
  });

  test('fetchMirrorlist() leaves out what is in front of the first mirror that works', async (t) => {
    const lacking = await openServer(t, {});
    const failing = await openServer(t, {}, { fault: () => ({ kind: 'status', status: 500 }) });
    const good = await openServer(t, { 'repo/config': '[core]' });
    const unprobed = 'http://127.0.0.1:9/repo';
    const list = [`${lacking.url}/repo`, failing.url, 'http://127.0.0.1:9', `${good.url}/repo`, unprobed];
    const server = await openServer(t, { list: `#\n${list.join('\n')}\n` });
    const mirrors = await fetchMirrorlist(openTransport(t), `${server.url}/list`);
    assert.deepEqual(mirrors, [`${good.url}/repo`, unprobed]);
    assert.deepEqual(
      [lacking, failing, good].map(({ requests }) => requests.length),
      [1, 1, 1],
    );
  });

  test('fetchMirrorlist() fails if no mirror works, or without a list', async (t) => {
    const lacking = await openServer(t, {});
    const server = await openServer(t, { list: `${lacking.url}\n`, empty: '' });
    const transport = openTransport(t);
    for (const name of ['list', 'empty']) {
      const message = `No valid mirrors were found in mirrorlist '${server.url}/${name}'`;
      await assert.rejects(fetchMirrorlist(transport, `${server.url}/${name}`), { code: 'FETCH', message });
    }
    await assert.rejects(fetchMirrorlist(transport, `${server.url}/none`), { code: 'NOT_FOUND' });
  });

  test('fetchMirrorlist() can be cancelled', async (t) => {
    const server = await openServer(t, {}, { fault: () => ({ kind: 'stall' }) });
    const list = await openServer(t, { list: server.url });
    const signal = AbortSignal.timeout(100);
    await assert.rejects(fetchMirrorlist(openTransport(t), `${list.url}/list`, { signal }), { code: 'CANCELLED' });
  });
});
