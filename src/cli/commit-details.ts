/** What the command line says of a new commit besides its tree. */
import { GVariantError } from '../../gvariant/src/error.ts';
import { parse } from '../../gvariant/src/parse.ts';
import { Variant } from '../../gvariant/src/value.ts';
import { isChecksum, type OstreeChecksum } from '../../ostree/checksum.ts';
import type { Metadata } from '../../ostree/metadata.ts';
import { checkRefName } from '../../ostree/ref.ts';
import type { CommitDetails } from '../commit/make-commit.ts';
import { resolveCommit } from '../commit/stored.ts';
import type { ObjectStore } from '../repository/objects.ts';
import { usageError } from './failure.ts';

export interface DetailOptions {
  readonly reference?: string;
  readonly subject: string;
  readonly body: string;
  readonly parent?: string;
  readonly timestamp?: string;
  readonly addMetadataString: readonly string[];
  readonly addMetadata: readonly string[];
  readonly bindRef: readonly string[];
  /** False for `--no-bindings`. */
  readonly bindings?: boolean;
}

/** @throws CfsError USAGE for an option that does not fit, NOT_FOUND for an unknown parent, FORMAT for a bad ref. */
export function commitDetails(store: ObjectStore, options: DetailOptions): CommitDetails {
  return {
    subject: options.subject,
    body: options.body,
    parent: parentOf(store, options.parent),
    timestamp: timestampOf(options.timestamp),
    metadata: metadataOf(options),
  };
}

/** A full commit id need not be stored. */
function parentOf(store: ObjectStore, text: string | undefined): OstreeChecksum | undefined {
  if (text === undefined || text === 'none') return undefined;
  return isChecksum(text) ? text : resolveCommit(store, text);
}

/** `@SECONDS`, or a date and time that says its zone; else what the environment says, for reproducible builds; else now. */
function timestampOf(text: string | undefined): bigint {
  const given = text ?? process.env['SOURCE_DATE_EPOCH']?.replace(/^/, '@');
  if (given === undefined) return BigInt(Math.floor(Date.now() / 1000));
  const [, seconds] = /^@(\d{1,19})$/.exec(given) ?? [];
  if (seconds !== undefined) return BigInt(seconds);
  const time = /(?:Z|UTC|[-+]\d\d:?\d\d)$/.test(given) ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(time) || time < 0) {
    throw usageError(`'${given}' is no time: use @SECONDS since 1970, or a date like 2026-01-31T12:00:00Z`);
  }
  return BigInt(Math.floor(time / 1000));
}

/** In the order that `ostree commit` has: strings, other values, then the binding to refs. */
function metadataOf({ addMetadataString, addMetadata, reference, bindRef, bindings = true }: DetailOptions): Metadata {
  const strings = addMetadataString.map(split).map(([key, text]) => [key, new Variant('s', text)] as const);
  const values = addMetadata.map(split).map(([key, text]) => [key, parseValue(key, text)] as const);
  const refs = [...new Set(reference === undefined ? bindRef : [reference, ...bindRef])];
  for (const ref of refs) checkRefName(ref);
  if (!bindings && bindRef.length > 0) throw usageError('--bind-ref and --no-bindings exclude each other');
  const sorted = refs.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const binding = ['ostree.ref-binding', new Variant('as', sorted)] as const;
  return [...strings, ...values, ...(bindings && refs.length > 0 ? [binding] : [])];
}

function split(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw usageError(`'${text}' is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function parseValue(key: string, text: string): Variant {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof GVariantError)) throw error;
    throw usageError(`The value of ${key} is not GVariant text: ${error.message}`);
  }
}
