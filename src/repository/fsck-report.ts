/** What a check of a repository found, as data, as the text and as the JSON that composefs-rs users know. */

import type { ObjectId } from '../verity/object-id.ts';

/** A SHA-256 sum of the content of an object, with a head in front of it, as a stream tells it. */
export interface ToldSum {
  /** For messages: `file object`. */
  readonly what: string;
  /** 64 hex digits. */
  readonly sum: string;
  readonly object: ObjectId;
  readonly head: Uint8Array;
}

/** Kinds of composefs-rs; the texts behind them are ours. */
export type ProblemKind =
  | 'object-invalid-name'
  | 'object-open-failed'
  | 'object-verity-failed'
  | 'object-digest-mismatch'
  | 'object-verity-missing'
  | 'entry-not-symlink'
  | 'broken-symlink'
  | 'stat-failed'
  | 'unexpected-file-type'
  | 'stream-open-failed'
  | 'stream-read-failed'
  | 'missing-object-ref'
  | 'missing-named-ref'
  | 'image-open-failed'
  | 'image-read-failed'
  | 'image-invalid'
  | 'image-missing-object'
  | 'metadata-parse-failed'
  | 'metadata-algorithm-mismatch';

export interface Problem {
  readonly kind: ProblemKind;
  /** Relative to the repository: `objects/xx/…`, `streams/NAME`, `images/refs/…`, `meta.json`. */
  readonly path: string;
  readonly detail: string | undefined;
}

export interface FsckReport {
  /** `error` if it is there but of no use. */
  readonly metadata: 'ok' | 'absent' | 'error';
  readonly objectsChecked: number;
  readonly objectsCorrupted: number;
  readonly streamsChecked: number;
  readonly streamsCorrupted: number;
  readonly imagesChecked: number;
  readonly imagesCorrupted: number;
  readonly brokenLinks: number;
  readonly missingObjects: number;
  /** Streams that know that something is missing in them, as paths; nothing is wrong with that. */
  readonly partial: readonly string[];
  /** What streams say of contents that is not true; each is among the problems too. */
  readonly wrongSums: readonly ToldSum[];
  readonly problems: readonly Problem[];
}

export function isClean(report: FsckReport): boolean {
  return report.problems.length === 0;
}

/** `fsck: KIND: PATH: DETAIL` */
export function formatProblem({ kind, path, detail }: Problem): string {
  return `fsck: ${kind}: ${path}${detail === undefined ? '' : `: ${detail}`}`;
}

/** Lines for people, without a newline at the end. */
export function formatReport(report: FsckReport): string {
  const { problems } = report;
  const good = (checked: number, corrupted: number): string => `${Math.max(0, checked - corrupted)}/${checked} ok`;
  const lines = [
    `meta.json: ${report.metadata}`,
    `objects: ${good(report.objectsChecked, report.objectsCorrupted)}`,
    `streams: ${good(report.streamsChecked, report.streamsCorrupted)}`,
    `images: ${good(report.imagesChecked, report.imagesCorrupted)}`,
  ];
  if (report.brokenLinks > 0) lines.push(`broken symlinks: ${report.brokenLinks}`);
  if (report.missingObjects > 0) lines.push(`missing objects: ${report.missingObjects}`);
  if (report.partial.length > 0) lines.push(`partial commits: ${report.partial.length}`);
  lines.push(isClean(report) ? 'status: ok' : `status: ${problems.length} error(s)`);
  return [...lines, ...problems.map((problem) => `  - ${formatProblem(problem)}`)].join('\n');
}

/** The object that `--json` prints, keys in the order of composefs-rs, then ours. */
export function reportJson(report: FsckReport): Record<string, unknown> {
  return {
    ok: isClean(report),
    has_metadata: report.metadata !== 'absent',
    objects_checked: report.objectsChecked,
    objects_corrupted: report.objectsCorrupted,
    streams_checked: report.streamsChecked,
    streams_corrupted: report.streamsCorrupted,
    images_checked: report.imagesChecked,
    images_corrupted: report.imagesCorrupted,
    broken_links: report.brokenLinks,
    missing_objects: report.missingObjects,
    errors: report.problems.map(formatProblem),
    partial: report.partial,
  };
}
