/** Options of every command that asks a web server. */
import type { Command } from 'commander';
import type { TransportOptions } from '../../ostree/http/options.ts';
import { usageError } from './failure.ts';

export interface HttpOptions {
  readonly httpHeader?: readonly string[];
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly tlsPermissive?: boolean;
  readonly networkRetries?: number;
}

export function addHttpOptions(command: Command): void {
  command
    .option('--http-header <name=value>', 'send this header field with each request (may be repeated)', append)
    .option('--cacert <file>', 'PEM file of the certificate authorities to trust, instead of those built in')
    .option('--cert <file>', 'PEM file of the client certificate, with --key')
    .option('--key <file>', 'PEM file of the key of the client certificate')
    .option('--tls-permissive', 'accept any certificate')
    .option('--network-retries <n>', 'how often to try again after a failure (default: 5)', retries);
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function retries(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw usageError(`--network-retries ${text}: expected a number`);
  return Number(text);
}

/** @throws CfsError USAGE for a header field without a value. */
export function transportOptions(options: HttpOptions): TransportOptions {
  const { httpHeader = [], cacert, cert, key, tlsPermissive, networkRetries } = options;
  return {
    headers: httpHeader.map(splitHeader),
    tls: {
      ...(cacert === undefined ? {} : { caFile: cacert }),
      ...(cert === undefined ? {} : { certFile: cert }),
      ...(key === undefined ? {} : { keyFile: key }),
      ...(tlsPermissive === undefined ? {} : { permissive: tlsPermissive }),
    },
    ...(networkRetries === undefined ? {} : { retries: networkRetries }),
  };
}

function splitHeader(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  // The value may be a secret: it is not repeated.
  if (at < 1) throw usageError('--http-header: expected NAME=VALUE');
  return [text.slice(0, at), text.slice(at + 1)];
}
