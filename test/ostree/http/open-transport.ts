/** A transport with times that suit tests, and servers. They end with the test. */
import type { TestContext } from 'node:test';
import type { TransportOptions } from '../../../ostree/http/options.ts';
import { Transport } from '../../../ostree/http/transport.ts';
import { FaultyServer, type ServerOptions } from './faulty-server.ts';

export const quick: TransportOptions = {
  backoff: 5,
  backoffMax: 20,
  connectTimeout: 2000,
  lowSpeedTime: 0,
  watchdog: 2000,
  environment: {},
};

export function openTransport(t: TestContext, options: TransportOptions = {}): Transport {
  const transport = new Transport({ ...quick, ...options });
  t.after(() => transport.close());
  return transport;
}

export async function openServer(
  t: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Omit<ServerOptions, 'files'> = {},
): Promise<FaultyServer> {
  const contents = Object.entries(files).map(([path, body]) => [path, Buffer.from(body)] as const);
  const server = await FaultyServer.start({ files: new Map(contents), ...options });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

/** Serves a folder. */
export async function serveFolder(
  t: TestContext,
  folder: string,
  fault?: ServerOptions['fault'],
): Promise<FaultyServer> {
  const server = await FaultyServer.start({ files: folder, ...(fault === undefined ? {} : { fault }) });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

/** Bytes without a pattern. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A sink that keeps everything, and counts how often it had to start over. */
export class Collector {
  restarts = 0;
  #chunks: Uint8Array[] = [];

  write(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  restart(): void {
    this.restarts++;
    this.#chunks = [];
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
