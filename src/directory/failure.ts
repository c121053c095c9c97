/** Errors of reading a directory: which file, and what to do about it. */
import { CfsError, hasCode, type ErrorCode } from '../../bytes/errors.ts';
import { toUtf8, type ByteString } from '../tree/byte-string.ts';

/** What cannot be read, or changed while it was read. */
export class ReadFailure extends CfsError {
  readonly path: string;

  constructor(code: ErrorCode, path: string, why: string, cause?: unknown) {
    super(code, `Cannot read ${path}: ${why}`, { path }, cause);
    this.path = path;
  }
}

/** @param path as a byte string. */
export function readFailure(path: string, error: unknown): ReadFailure {
  const text = toUtf8(path as ByteString);
  if (error instanceof CfsError) return new ReadFailure(error.code, text, error.message);
  const code = hasCode(error, 'ENOSPC', 'EDQUOT') ? 'NO_SPACE' : 'SYSTEM';
  return new ReadFailure(code, text, (error as Error).message, error);
}
