/**
 * The error classes of the whole project.
 *
 * A message says what was attempted, the value, then the state:
 * `Cannot decode dirtree 3fa2…: expected 32 checksum bytes, got 31`. Facts are readonly fields, so that callers never parse
 * messages. I/O errors of Node are passed on as they are (with their own `code`) unless a caller can add a fact.
 */

/** What kind of failure it is; the command line turns it into an exit code. */
export type ErrorCode =
  | 'CANCELLED'
  | 'CHECKSUM'
  | 'CONFLICT'
  | 'CORRUPT'
  | 'FETCH'
  | 'FORMAT'
  | 'LIMIT'
  | 'LOCKED'
  | 'NOT_FOUND'
  | 'NO_SPACE'
  | 'PARTIAL'
  | 'SYSTEM'
  | 'TIMEOUT'
  | 'UNSUPPORTED'
  | 'USAGE';

/** Plain facts of an error, as they appear in `--json` output and cross a worker boundary. */
export type ErrorFacts = Readonly<Record<string, string | number | undefined>>;

export class CfsError extends Error {
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.facts = facts;
  }
}

/** Bytes or text that do not follow their format. `field` is a dotted path in the specification's words. */
export class FormatError extends CfsError {
  readonly format: string;
  readonly field: string;
  readonly offset: number | undefined;

  constructor(format: string, field: string, problem: string, offset?: number, cause?: unknown) {
    const at = offset === undefined ? '' : ` at byte ${offset}`;
    super('FORMAT', `Invalid ${format}: ${field}${at}: ${problem}`, { format, field, offset }, cause);
    this.format = format;
    this.field = field;
    this.offset = offset;
  }
}

/** Content that does not have the digest it is named by. */
export class ChecksumError extends CfsError {
  readonly what: string;
  readonly expected: string;
  readonly actual: string;

  constructor(what: string, expected: string, actual: string) {
    super('CHECKSUM', `Corrupted ${what}: checksum expected ${expected}, actual ${actual}`, { what, expected, actual });
    this.what = what;
    this.expected = expected;
    this.actual = actual;
  }
}

/** Something that was asked for by name does not exist. */
export class NotFoundError extends CfsError {
  constructor(message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super('NOT_FOUND', message, facts, cause);
  }
}

/**
 * A fetch over the network that did not succeed in any attempt. What a server says it does not have (403, 404, 410) is a
 * `NotFoundError` instead, with the same `url` and `status` among its facts.
 */
export class FetchError extends CfsError {
  /** What was asked for last, without credentials. */
  readonly url: string;
  /** The HTTP status of the last attempt, if there was an answer. */
  readonly status: number | undefined;
  /** Requests that were made, to all mirrors together. */
  readonly attempts: number;

  constructor(url: string, problem: string, attempts: number, status?: number, cause?: unknown) {
    const tries = attempts > 1 ? ` (${attempts} attempts)` : '';
    super('FETCH', `Cannot fetch ${url}: ${problem}${tries}`, { url, status, attempts }, cause);
    this.url = url;
    this.status = status;
    this.attempts = attempts;
  }
}

/** A valid request or file that this program, kernel or filesystem cannot handle. */
export class UnsupportedError extends CfsError {
  constructor(message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super('UNSUPPORTED', message, facts, cause);
  }
}

/**
 * A `CfsError` as plain data and back, for crossing a worker boundary: class, message, code, facts and cause survive.
 * Other errors keep their message, name and `code`.
 */
export interface SerializedError {
  readonly kind: 'cfs' | 'other';
  readonly className: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly facts: ErrorFacts;
  readonly own: Readonly<Record<string, unknown>>;
  readonly cause: SerializedError | undefined;
}

const classes: Readonly<Record<string, { prototype: CfsError }>> = {
  CfsError,
  FormatError,
  ChecksumError,
  FetchError,
  NotFoundError,
  UnsupportedError,
};

export function serializeError(error: unknown): SerializedError {
  const e = error instanceof Error ? error : new Error(String(error));
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(e)) {
    if (key !== 'facts' && ['string', 'number', 'undefined'].includes(typeof value)) own[key] = value;
  }
  return {
    kind: e instanceof CfsError ? 'cfs' : 'other',
    className: e.name,
    message: e.message,
    code: 'code' in e ? String(e.code) : undefined,
    facts: e instanceof CfsError ? e.facts : {},
    own,
    cause: e.cause === undefined ? undefined : serializeError(e.cause),
  };
}

export function deserializeError(data: SerializedError): Error {
  const error = new Error(data.message, data.cause === undefined ? undefined : { cause: deserializeError(data.cause) });
  Object.assign(error, data.own);
  if (data.kind === 'cfs') {
    Object.setPrototypeOf(error, (classes[data.className] ?? CfsError).prototype);
    Object.assign(error, { facts: data.facts, code: data.code });
  }
  Object.defineProperty(error, 'name', { value: data.className, configurable: true, writable: true });
  return error;
}

/** True for errors of Node's file system calls (and of our own system calls) with one of the given `code`s. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
