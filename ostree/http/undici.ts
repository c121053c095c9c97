/**
 * What is used of undici, loaded when it is first needed. All of it takes longer to load than Node takes to start, and every thread
 * that fetches loads its own; the client alone takes half of that.
 */
import { createRequire } from 'node:module';

type Undici = typeof import('undici');

/** The client for one origin, and what makes its connections. */
export function loadClient(): Pick<Undici, 'Client' | 'buildConnector'> {
  const Client = createRequire(import.meta.url)('undici/lib/dispatcher/client.js') as Undici['Client'];
  const buildConnector = createRequire(import.meta.url)('undici/lib/core/connect.js') as Undici['buildConnector'];
  return { Client, buildConnector };
}

/** The proxy agent relies on methods that only the whole of undici gives to its dispatchers. */
export function loadProxyAgent(): Pick<Undici, 'ProxyAgent'> {
  return createRequire(import.meta.url)('undici') as Undici;
}
