/** Errors of reading a directory: which file, and what to do about it. */
import { CfsError, type ErrorCode, type ErrorFacts } from '../../bytes/errors.ts';
import { toUtf8, type ByteString } from '../tree/byte-string.ts';

/** What cannot be read, changed while it was read, or cannot be stored (the fact `store` says where). */
export class ReadFailure extends CfsError {
  readonly path: string;

  constructor(code: ErrorCode, path: string, why: string, facts: ErrorFacts, cause: unknown) {
    super(code, `Cannot read ${path}: ${why}`, { ...facts, path }, cause);
    this.path = path;
  }
}

/** @param path as a byte string; empty for the root of the file system. */
export function readFailure(path: string, error: unknown): ReadFailure {
  const text = toUtf8(path as ByteString) || '/';
  if (error instanceof CfsError) return new ReadFailure(error.code, text, error.message, error.facts, error.cause);
  return new ReadFailure('SYSTEM', text, (error as Error).message, {}, error);
}
