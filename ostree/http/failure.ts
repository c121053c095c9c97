/** Why one request failed, and what follows: ask another mirror only, or try all of it again. */
import { type CfsError } from '../../bytes/errors.ts';
import { scrub } from './url.ts';

/**
 * `missing`: the server says that there is no such thing. `permanent`: asking this mirror again gives the same.
 * `transient`: worth another try.
 */
export type FailureKind = 'missing' | 'permanent' | 'transient';

export interface FailureFacts {
  readonly status?: number;
  /** Milliseconds the server asks to wait. */
  readonly retryAfter?: number;
  /** The connection could not be made or broke, rather than a complete answer being unwelcome. */
  readonly connection?: boolean;
  readonly cause?: unknown;
  /** To be thrown as it is if this stays the last word. */
  readonly final?: CfsError;
}

/** Internal: a caller of the transport sees `FetchError`, `NotFoundError` or `final`. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly facts: FailureFacts;
  /** Milliseconds without a byte in front of it. */
  idle = 0;

  constructor(kind: FailureKind, problem: string, facts: FailureFacts = {}) {
    super(scrub(problem));
    this.kind = kind;
    this.facts = facts;
  }
}

/** What the receiver threw, on its way out through the retries. */
export class SinkError {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** No retry gives other credentials or another certificate. */
const hopelessStatus = new Set([401, 407]);
const missingStatus = new Set([403, 404, 410]);
const hopelessTls =
  /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH|ERR_TLS_CERT|ERR_OSSL|ERR_SSL_(TLSV1|SSLV3|TLSV13)_ALERT)/;

/** For an answer whose status is not a success. `retryAll` false: only 408 and 500 are worth another try. */
export function statusFailure(status: number, retryAfter: number | undefined, retryAll: boolean): Failure {
  const transient = retryAll ? !hopelessStatus.has(status) : status === 408 || status === 500;
  const kind = missingStatus.has(status) ? 'missing' : transient ? 'transient' : 'permanent';
  // An import would load all that Node has behind getters there, at the price of starting the program again.
  const name = process.getBuiltinModule('node:http').STATUS_CODES[status];
  const problem = `Server returned HTTP ${status}${name === undefined ? '' : ` (${name})`}`;
  return new Failure(kind, problem, { status, ...(retryAfter === undefined ? {} : { retryAfter }) });
}

/** For whatever undici, TLS and the sockets report. */
export function transportFailure(error: unknown, retryAll: boolean): Failure {
  if (error instanceof Failure) return error;
  const code = codeOf(error);
  const text = messageOf(error);
  if (code === 'UND_ERR_HEADERS_OVERFLOW') {
    return new Failure('permanent', 'the header fields of the response are too long', { cause: error });
  }
  const refused = code === 'UND_ERR_INVALID_ARG' || text.startsWith('Proxy response (407)');
  const hopeless = refused || hopelessTls.test(code) || !retryAll;
  const problem = code === '' || text.includes(code) ? text : `${text} (${code})`;
  return new Failure(hopeless ? 'permanent' : 'transient', problem, { connection: true, cause: error });
}

/** True for a connection that the other side has closed. */
export function isClosing(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Node's error for several addresses has an empty message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** `Retry-After` as seconds or a date, in milliseconds from `now`; undefined for anything else. */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** A wait between nothing and `first` doubled per round, `most` at most ("full jitter"); never shorter than the server asks for. */
export function backoff(round: number, first: number, most: number, retryAfter = 0): number {
  const jitter = Math.random() * Math.min(most, first * 2 ** Math.min(round, 30));
  return Math.max(jitter, retryAfter);
}
