/** Options of every command that asks a web server. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AuthOptions, TlsOptions, TransportOptions } from '../../ostree/http/options.ts';
import { createRateLimit } from '../../ostree/http/rate-limit.ts';
import { parseByteSize } from './byte-size.ts';
import { usageError } from './failure.ts';

export interface HttpOptions {
  readonly mirror?: readonly string[];
  readonly contenturl?: string;
  readonly jobs?: number;
  readonly limitRate?: number;
  readonly networkRetries?: number;
  readonly connectTimeout?: number;
  readonly lowSpeedLimitBytes?: number;
  readonly lowSpeedTimeSeconds?: number;
  readonly stallTimeout?: number;
  /** Milliseconds for the whole command. */
  readonly deadline?: number;
  readonly proxy?: string;
  /** False for `--no-http2`. */
  readonly http2?: false;
  readonly httpHeader?: readonly string[];
  readonly netrc?: boolean;
  readonly netrcFile?: string;
  readonly bearerFile?: string;
  readonly cookies?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly tlsPermissive?: boolean;
}

export function addHttpOptions(command: Command): void {
  command
    .optionsGroup('Network:')
    .option('--mirror <url>', 'another base URL, for what the first does not give (may be repeated)', append)
    .option('--contenturl <url>', 'base URL of objects and deltas, where they are somewhere else')
    .option(
      '--jobs <n>',
      'connections to one server, with several requests on each (default: 8; HTTP/2 needs one)',
      atLeast('--jobs', 1),
    )
    .option('--limit-rate <bytes>', 'most bytes per second, with K, M or G for powers of 1024', byteRate)
    .option('--deadline <seconds>', 'fail if the command is not done by then', seconds('--deadline'))
    .option('--network-retries <n>', 'how often to try again after a failure (default: 5)', whole('--network-retries'))
    .option('--connect-timeout <seconds>', 'wait so long for a connection (default: 30)', seconds('--connect-timeout'))
    .option(
      '--low-speed-limit-bytes <n>',
      'give up a transfer of fewer bytes per second (default: 1000; 0: never)',
      whole('--low-speed-limit-bytes'),
    )
    .option('--low-speed-time-seconds <n>', 'for so many seconds (default: 30)', whole('--low-speed-time-seconds'))
    .option(
      '--stall-timeout <seconds>',
      'turn to the next mirror, or fail, after so long without a byte (default: 120)',
      seconds('--stall-timeout'),
    )
    .option('--proxy <url>', "proxy, or '' for none, instead of what the remote or the environment says")
    .option('--no-http2', 'do not use HTTP/2')
    .optionsGroup('Credentials and certificates:')
    .option('--http-header <name=value>', 'send this header field with each request (may be repeated)', append)
    .option('--netrc', 'take user names and passwords from ~/.netrc')
    .option('--netrc-file <file>', 'take them from this file')
    .option('--bearer-file <file>', 'send the token in this file to the servers that the command names')
    .option('--cookies <file>', "send the cookies of this file, in Netscape's format")
    .option('--cacert <file>', 'PEM file of the certificate authorities to trust, instead of those built in')
    .option('--cert <file>', 'PEM file of the client certificate, with --key')
    .option('--key <file>', 'PEM file of the key of the client certificate')
    .option('--tls-permissive', 'accept any certificate');
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function whole(option: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}$/.test(text)) throw usageError(`${option} ${text}: expected a number`);
    return Number(text);
  };
}

function atLeast(option: string, least: number): (text: string) => number {
  return (text) => {
    const value = whole(option)(text);
    if (value < least) throw usageError(`${option} ${text}: expected at least ${least}`);
    return value;
  };
}

/** Seconds, also with a fraction, as milliseconds. */
function seconds(option: string): (text: string) => number {
  return (text) => {
    const value = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : 0;
    if (value === 0) throw usageError(`${option} ${text}: expected a number of seconds`);
    return value;
  };
}

function byteRate(text: string): number {
  const rate = parseByteSize(text) ?? 0;
  if (rate < 1) throw usageError(`--limit-rate ${text}: expected bytes per second, such as 500K or 2M`);
  return rate;
}

/** What the options say, and nothing else. @throws CfsError USAGE for a header field without a value. */
export function transportOptions(options: HttpOptions): TransportOptions {
  const { httpHeader = [], netrc, netrcFile, limitRate } = options;
  return given({
    headers: httpHeader.map(splitHeader),
    connections: options.jobs,
    retries: options.networkRetries,
    connectTimeout: options.connectTimeout,
    lowSpeedLimit: options.lowSpeedLimitBytes,
    lowSpeedTime: options.lowSpeedTimeSeconds && options.lowSpeedTimeSeconds * 1000,
    watchdog: options.stallTimeout,
    proxy: options.proxy,
    http2: options.http2,
    netrcFile: netrcFile ?? (netrc === true ? join(homedir(), '.netrc') : undefined),
    cookieFile: options.cookies,
    rateLimit: limitRate === undefined ? undefined : createRateLimit(limitRate),
    tls: tlsOptions(options),
  });
}

function tlsOptions({ cacert, cert, key, tlsPermissive }: HttpOptions): TlsOptions {
  return given({ caFile: cacert, certFile: cert, keyFile: key, permissive: tlsPermissive });
}

/** The token of `--bearer-file`, for the origins of these base URLs. */
export function authOptions({ bearerFile }: HttpOptions, bases: readonly string[]): AuthOptions | undefined {
  if (bearerFile === undefined) return undefined;
  return { origins: bases.filter((base) => /^https?:\/\//i.test(base) && URL.canParse(base)), bearerFile };
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is undefined. */
function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}

function splitHeader(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  // The value may be a secret: it is not repeated.
  if (at < 1) throw usageError('--http-header: expected NAME=VALUE');
  return [text.slice(0, at), text.slice(at + 1)];
}
