/** How many connections and requests a server sees at the same time. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openHttpSource } from '../../../ostree/http/source.ts';
import { goldenPath, objectsOf } from '../golden.ts';
import { FaultyServer, randomFaults } from './faulty-server.ts';
import { noise, openServer, openTransport, quick } from './open-transport.ts';

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Counted from 0 over all connections. */
  readonly nth: number;
}

/** A web server that counts unanswered requests: of each connection, and of all. */
class CountingServer {
  url = '';
  requests = 0;
  readonly #waiting = new Map<Socket, number>();
  readonly #answer: (asked: Asked) => void;

  private constructor(answer: (asked: Asked) => void) {
    this.#answer = answer;
  }

  static async start(t: TestContext, answer: (asked: Asked) => void): Promise<CountingServer> {
    const counting = new CountingServer(answer);
    const server = createServer((request, response) => counting.#handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    counting.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return counting;
  }

  get total(): number {
    return Array.from(this.#waiting.values()).reduce((sum, each) => sum + each, 0);
  }

  /** Of the connection that has the most. */
  get most(): number {
    return Math.max(0, ...this.#waiting.values());
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (!this.#waiting.has(socket)) socket.on('close', () => this.#waiting.delete(socket));
    this.#waiting.set(socket, (this.#waiting.get(socket) ?? 0) + 1);
    response.on('finish', () => this.#waiting.set(socket, this.#waiting.get(socket)! - 1));
    this.#answer({ request, response, nth: this.requests++ });
  }
}

suite('Over HTTP/1.1 a transport', () => {
  for (const [how, rate] of [
    ['that work', 0],
    ['that fail by chance', 0.2],
  ] as const) {
    test(`makes no more connections than it may, of those ${how}`, async (t) => {
      const files = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`f${i}`, noise(100 * i, i)]));
      const fault = randomFaults(3, rate, [{ kind: 'reset' }, { kind: 'status', status: 500 }]);
      const server = await openServer(t, files, { fault });
      const transport = openTransport(t, { connections: 3, retries: 10 });
      await Promise.all(
        Object.entries(files).map(async ([path, body]) => {
          const { bytes } = await transport.fetchBytes({ bases: [server.url], path });
          assert(body.equals(bytes));
        }),
      );
      assert(server.mostConnections <= 3, `${server.mostConnections} connections`);
    });
  }

  test('asks for one file per connection until the first is answered, then for more', async (t) => {
    const held: ServerResponse[] = [];
    const server = await CountingServer.start(t, ({ response }) => held.push(response));
    const transport = openTransport(t, { connections: 2, pipelining: 4, watchdog: 60_000 });
    const all = Array.from({ length: 40 }, (_, i) => transport.fetchBytes({ bases: [server.url], path: `${i}` }));
    while (held.length < 2) await sleep(5);
    await sleep(50);
    assert.deepEqual([server.total, server.most], [2, 1]);
    held.shift()!.end('first');
    while (held.length < 8) await sleep(5);
    await sleep(50);
    assert.deepEqual([server.total, server.most], [8, 4]);
    const done = Promise.all(all).then(() => clearInterval(answering));
    const answering = setInterval(() => held.splice(0).forEach((each) => each.end('text')), 5);
    await done;
    assert.equal(server.requests, 40);
  });

  test('asks for one at a time of a server that closes connections in front of waiting requests', async (t) => {
    let late = 0;
    const server = await CountingServer.start(t, ({ response, nth }) => {
      if (nth > 250) late = Math.max(late, server.most);
      // Each connection ends with its first answer, whatever waits behind it: until that is known, 32 requests are sent many times.
      if (nth > 0) response.setHeader('connection', 'close');
      setTimeout(() => response.end('text'), 5);
    });
    const transport = openTransport(t, { connections: 4, pipelining: 8, retries: 20 });
    const paths = Array.from({ length: 300 }, (_, i) => `${i}`);
    const results = await Promise.all(paths.map((path) => transport.fetchBytes({ bases: [server.url], path })));
    assert(results.every(({ bytes }) => Buffer.from(bytes).toString() === 'text'));
    assert.equal(late, 1);
  });

  test('finishes with a server that closes each connection after its answer without a word', async (t) => {
    const server = await CountingServer.start(t, ({ request, response }) => {
      response.end('text', () => request.socket.destroySoon());
    });
    const transport = openTransport(t, { connections: 4, pipelining: 8, retries: 2 });
    const paths = Array.from({ length: 300 }, (_, i) => `${i}`);
    const results = await Promise.all(paths.map((path) => transport.fetchBytes({ bases: [server.url], path })));
    assert(results.every(({ bytes }) => Buffer.from(bytes).toString() === 'text'));
  });

  test('does not take the silence of a request for its own that waits behind a long answer', async (t) => {
    const server = await CountingServer.start(t, ({ request, response }) => {
      if (request.url !== '/long') {
        response.end('short');
        return;
      }
      let left = 30;
      const timer = setInterval(() => {
        response.write('x'.repeat(1000));
        if (--left === 0) response.end(() => clearInterval(timer));
      }, 50);
    });
    const transport = openTransport(t, { connections: 1, pipelining: 4, watchdog: 500, retries: 0 });
    const fetch = async (path: string): Promise<number> => {
      const { bytes, attempts } = await transport.fetchBytes({ bases: [server.url], path });
      assert.equal(attempts, 1);
      return bytes.length;
    };
    assert.equal(await fetch('first'), 5);
    assert.deepEqual(await Promise.all(['long', 'a', 'b'].map(fetch)), [30_000, 5, 5]);
    assert.equal(server.requests, 4);
  });

  test('times a request from when it is the first of its connection', async (t) => {
    const server = await CountingServer.start(t, ({ request, response }) => {
      if (request.url === '/slow') setTimeout(() => response.end('slow'), 300);
      else if (request.url !== '/never') response.end('short');
    });
    const transport = openTransport(t, { connections: 1, pipelining: 4, watchdog: 500, retries: 0 });
    const fetch = (path: string): Promise<unknown> => transport.fetchBytes({ bases: [server.url], path });
    await fetch('first');
    await Promise.all([fetch('slow'), assert.rejects(fetch('never'), /No progress for 0\.5 s/)]);
  });
});

test('HttpSource.divide() leaves a part of the connections', async () => {
  await using server = await FaultyServer.start({ files: goldenPath });
  using source = openHttpSource(server.url, { ...quick, connections: 8 });
  source.divide(4);
  const objects = objectsOf(goldenPath).filter(({ type }) => type === 'dirtree' || type === 'dirmeta');
  assert(objects.length > 20);
  await Promise.all(objects.map(({ type, checksum }) => source.readObject(type as 'dirtree' | 'dirmeta', checksum)));
  assert.equal(server.mostConnections, 2);
});
