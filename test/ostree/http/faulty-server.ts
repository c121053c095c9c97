/**
 * A web server that misbehaves on request. Serves a folder, or files in memory, over HTTP/1.1, HTTPS or HTTP/2, with ETag,
 * Last-Modified and Range; for each request a function may choose a fault instead. Counts requests and bytes.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join, normalize } from 'node:path';
import type { Certificates } from './certificates.ts';

export type Fault =
  /** Nothing but this status; `retryAfter` as the header field says it. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** The connection ends in front of any answer, by RST if it is plain HTTP. */
  | { readonly kind: 'reset' }
  /** The connection ends after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Nothing more after so many bytes of the body; undefined: no header either. */
  | { readonly kind: 'stall'; readonly after?: number }
  /** One byte of the body at a time. */
  | { readonly kind: 'drip'; readonly every: number }
  /** The header comes one byte at a time, never to its end. */
  | { readonly kind: 'drip-header'; readonly every: number }
  | { readonly kind: 'wrong-bytes' }
  | { readonly kind: 'html' }
  /** A body that begins with `first` and goes on with zeros as long as somebody reads them; `length` is what it declares. */
  | { readonly kind: 'endless'; readonly first?: Uint8Array | undefined; readonly length?: number | undefined }
  | { readonly kind: 'long-header'; readonly bytes: number }
  /** The whole file, whatever was asked for. */
  | { readonly kind: 'no-range' };

export interface SeenRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Of requests for this path, counted from 0. */
  readonly nth: number;
  readonly httpVersion: string;
}

export interface ServerOptions {
  /** Path without the leading slash to content, or a folder. */
  readonly files: ReadonlyMap<string, Uint8Array> | string;
  readonly protocol?: 'http' | 'https' | 'http2';
  readonly certificates?: Certificates;
  /** Ask clients for a certificate of the same authority. */
  readonly clientCertificates?: boolean;
  readonly fault?: (request: SeenRequest) => Fault | undefined;
  /** Fields of every answer; `etag: ''` leaves the ETag out. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What `node:http2` gives is used as if it were of `node:http`; only its stream is different. */
type Request = IncomingMessage;
type Response = ServerResponse & { readonly stream?: ServerHttp2Stream };

export class FaultyServer implements AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  readonly requests: SeenRequest[] = [];
  bytes = 0;
  /** Connections open at the same time, at most. */
  mostConnections = 0;
  fault: ServerOptions['fault'];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #options: ServerOptions;

  private constructor(server: Server, options: ServerOptions) {
    this.#server = server;
    this.#options = options;
    this.fault = options.fault;
    const { port } = server.address() as AddressInfo;
    this.url = `${(options.protocol ?? 'http') === 'http' ? 'http' : 'https'}://127.0.0.1:${port}`;
    server.on('request', (request: Request, response: Response) => this.#handle(request, response));
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      this.mostConnections = Math.max(this.mostConnections, this.#sockets.size);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
  }

  static async start(options: ServerOptions): Promise<FaultyServer> {
    const { certificates, protocol = 'http' } = options;
    const tls = certificates && {
      cert: readFileSync(certificates.serverCert),
      key: readFileSync(certificates.serverKey),
      ca: readFileSync(certificates.ca),
      requestCert: options.clientCertificates === true,
      rejectUnauthorized: options.clientCertificates === true,
    };
    const server: Server =
      protocol === 'http'
        ? createServer({ keepAliveTimeout: 60_000 })
        : protocol === 'https'
          ? createTlsServer({ ...tls, keepAliveTimeout: 60_000 })
          : createSecureServer({ ...tls, allowHTTP1: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FaultyServer(server, options);
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.requests.filter((request) => request.path === path).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #handle(request: Request, response: Response): void {
    const path = decodeURIComponent((request.url ?? '/').replace(/^\//, '').replace(/\?.*$/, ''));
    const seen = { path, headers: request.headers, nth: this.count(path), httpVersion: request.httpVersion };
    this.requests.push(seen);
    response.on('error', () => undefined);
    const fault = this.fault?.(seen);
    const body = this.#read(path);
    if (fault?.kind === 'status') this.#status(response, fault.status, fault.retryAfter);
    else if (fault?.kind === 'redirect') response.writeHead(fault.status ?? 302, { location: fault.to }).end();
    else if (fault?.kind === 'reset') this.#disconnect(request, response);
    else if (fault?.kind === 'stall' && fault.after === undefined) return;
    else if (fault?.kind === 'drip-header') this.#dripHeader(request, fault.every);
    else if (fault?.kind === 'endless') this.#endless(response, fault.first, fault.length);
    else if (fault?.kind === 'html') {
      const html = '<html><body>Please log in</body></html>';
      this.bytes += html.length;
      response.writeHead(200, { 'content-type': 'text/html' }).end(html);
    } else if (body === undefined) this.#status(response, 404);
    else this.#send(request, response, fault?.kind === 'wrong-bytes' ? body.map((byte) => byte ^ 0xff) : body, fault);
  }

  #read(path: string): Uint8Array | undefined {
    const { files } = this.#options;
    if (typeof files !== 'string') return files.get(path);
    const file = join(files, normalize(`/${path}`));
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(file) : undefined;
  }

  #send(request: Request, response: Response, body: Uint8Array, fault: Fault | undefined): void {
    const { etag = `"${createHash('md5').update(body).digest('hex')}"`, ...added } = this.#options.headers ?? {};
    const headers: Record<string, string | number> = { ...added, ...(etag === '' ? {} : { etag }) };
    const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers;
    if (ifNoneMatch !== undefined && ifNoneMatch === etag) {
      response.writeHead(304, headers).end();
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const fresh = ifRange === undefined || ifRange === etag || ifRange === added['last-modified'];
    const part = range !== undefined && fresh && fault?.kind !== 'no-range';
    if (part && start >= body.length) {
      response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
      return;
    }
    const rest = part ? body.subarray(start) : body;
    if (part) headers['content-range'] = `bytes ${start}-${body.length - 1}/${body.length}`;
    if (fault?.kind === 'long-header') headers['x-long'] = 'x'.repeat(fault.bytes);
    response.writeHead(part ? 206 : 200, { ...headers, 'content-length': rest.length });
    if (fault?.kind === 'cut' || fault?.kind === 'stall') {
      const sent = rest.subarray(0, fault.after);
      this.bytes += sent.length;
      response.write(sent);
      // The bytes must have left before the connection goes.
      if (fault.kind === 'cut') this.#every(20, () => this.#reset(request, response));
    } else if (fault?.kind === 'drip') {
      let at = 0;
      this.#every(fault.every, () => {
        if (at < rest.length && !response.destroyed) response.write(rest.subarray(at, ++at));
        this.bytes++;
      });
    } else {
      this.bytes += rest.length;
      response.end(rest);
    }
  }

  #status(response: Response, status: number, retryAfter?: string): void {
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    response.end(`status ${status}`);
  }

  /** Ends the response; over HTTP/2 the connection goes on. */
  #reset(request: Request, response: Response): void {
    if (response.stream !== undefined) response.stream.close(2);
    else this.#disconnect(request, response);
  }

  #disconnect(request: Request, response: Response): void {
    if (response.stream !== undefined) response.stream.session?.destroy();
    else if ('encrypted' in request.socket) request.socket.destroy();
    else request.socket.resetAndDestroy();
  }

  #dripHeader(request: Request, every: number): void {
    const text = `HTTP/1.1 200 OK\r\nx-drip: ${'x'.repeat(10_000)}`;
    let at = 0;
    this.#every(every, () => {
      if (!request.socket.destroyed) request.socket.write(text[at++ % text.length] ?? 'x');
    });
  }

  #endless(response: Response, first: Uint8Array | undefined, length: number | undefined): void {
    const chunk = new Uint8Array(64 * 1024);
    response.writeHead(200, length === undefined ? {} : { 'content-length': length });
    if (first !== undefined) response.write(first);
    const more = (): void => {
      while (!response.destroyed && !response.writableEnded) {
        this.bytes += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', more);
    more();
  }

  #every(ms: number, call: () => void): void {
    this.#timers.add(setInterval(call, ms));
  }
}

/**
 * Faults by chance, the same for the same seed whatever the order of requests: the `nth` request of each path has its own.
 * @param rate From 0 to 1.
 */
export function randomFaults(
  seed: number,
  rate: number,
  faults: readonly Fault[],
): (request: SeenRequest) => Fault | undefined {
  return ({ path, nth }) => {
    const digest = createHash('sha256').update(`${seed}/${path}/${nth}`).digest();
    if (digest.readUInt32LE(0) / 2 ** 32 >= rate) return undefined;
    return faults[digest.readUInt32LE(4) % faults.length];
  };
}
