/** A proxy for tests: forwards absolute-form requests, and tunnels CONNECT. Counts both. */
import { createServer, type IncomingMessage, request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

export interface TestProxy extends AsyncDisposable {
  readonly url: string;
  readonly forwarded: IncomingMessage['headers'][];
  readonly tunnelled: IncomingMessage['headers'][];
}

/** @param password Answer 407 to those who do not send it, as the user `user`. */
export async function startProxy(password?: string): Promise<TestProxy> {
  const forwarded: IncomingMessage['headers'][] = [];
  const tunnelled: IncomingMessage['headers'][] = [];
  const expected = password === undefined ? undefined : `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;
  const refused = (headers: IncomingMessage['headers']): boolean =>
    expected !== undefined && headers['proxy-authorization'] !== expected;
  const server = createServer((request, response) => {
    forwarded.push(request.headers);
    if (refused(request.headers)) {
      response.writeHead(407).end();
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onwards = httpRequest(request.url ?? '', { headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onwards.on('error', () => response.destroy());
    onwards.end();
  });
  server.on('connect', (request, socket) => {
    tunnelled.push(request.headers);
    if (refused(request.headers)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const [host = '', port] = (request.url ?? '').split(':');
    const onwards = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onwards.pipe(socket).pipe(onwards);
    });
    for (const end of [onwards, socket]) end.on('error', () => (socket.destroy(), onwards.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, forwarded, tunnelled, [Symbol.asyncDispose]: close };
}
