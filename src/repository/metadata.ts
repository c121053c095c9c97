/**
 * `meta.json`, which makes a directory a composefs repository: format version, algorithm, feature lists and the EROFS format
 * versions of its images. Written like composefs-rs does, two spaces and keys in this order, so that both see equal text.
 */
import { CfsError, FormatError, UnsupportedError } from '../../bytes/errors.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';

const FORMAT = 'meta.json';

/** The only repository version. */
const VERSION = 1;

/** Read-only-compatible feature: the default image format is 1. */
const V1_EROFS = 'v1_erofs';

export type ErofsVersion = 0 | 1 | 2;

/** Which EROFS format versions image commits write: `default` names an image, `extra` are written besides it. */
export interface ErofsFormats {
  readonly default: ErofsVersion;
  readonly extra: readonly ErofsVersion[];
}

export interface Features {
  readonly compatible: readonly string[];
  /** Unknown ones forbid writing. */
  readonly readOnlyCompatible: readonly string[];
  /** Unknown ones forbid opening. */
  readonly incompatible: readonly string[];
}

export interface Metadata {
  readonly version: number;
  readonly algorithm: HashAlgorithm;
  readonly features: Features;
  /** As in the file; `effectiveFormats` says what counts. */
  readonly erofsFormats: ErofsFormats;
}

/** The metadata of a new repository. */
export function newMetadata(algorithm: HashAlgorithm, defaultFormat: ErofsVersion = 1): Metadata {
  return {
    version: VERSION,
    algorithm,
    features: {
      compatible: [],
      readOnlyCompatible: defaultFormat === 1 ? [V1_EROFS] : [],
      incompatible: [],
    },
    erofsFormats: { default: defaultFormat, extra: [] },
  };
}

/** The formats that count: {default 2} without extras is what old writers left, where the feature flag decides. */
export function effectiveFormats({ erofsFormats, features }: Metadata): ErofsFormats {
  if (erofsFormats.default !== 2 || erofsFormats.extra.length > 0) return erofsFormats;
  return { default: features.readOnlyCompatible.includes(V1_EROFS) ? 1 : 2, extra: [] };
}

/** Features that are not known here, and forbid writing. */
export function unknownReadOnlyFeatures({ features }: Metadata): string[] {
  return features.readOnlyCompatible.filter((name) => name !== V1_EROFS);
}

export function formatAlgorithm(algorithm: HashAlgorithm): string {
  return `fsverity-${algorithm}-12`;
}

/** @throws UnsupportedError for anything but `fsverity-sha256-12` and `fsverity-sha512-12`. */
export function parseAlgorithm(text: string): HashAlgorithm {
  for (const algorithm of ['sha256', 'sha512'] as const) if (text === formatAlgorithm(algorithm)) return algorithm;
  throw new UnsupportedError(
    `Unknown repository algorithm '${text}': expected fsverity-sha256-12 or fsverity-sha512-12`,
  );
}

/** @throws FormatError; UnsupportedError for a version, algorithm or incompatible feature of a later program. */
export function parseMetadata(text: string): Metadata {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(FORMAT, 'document', `not JSON: ${(cause as Error).message}`, undefined, cause);
  }
  const root = object(json, 'document');
  const version = root['version'];
  if (!Number.isInteger(version)) throw new FormatError(FORMAT, 'version', 'not an integer');
  if ((version as number) > VERSION) {
    throw new UnsupportedError(`Cannot open a repository of version ${String(version)}: only ${VERSION} is known`);
  }
  if (typeof root['algorithm'] !== 'string') throw new FormatError(FORMAT, 'algorithm', 'not a string');
  const algorithm = parseAlgorithm(root['algorithm']);
  const features = object(root['features'] ?? {}, 'features');
  const incompatible = strings(features['incompatible'], 'features.incompatible');
  if (incompatible.length > 0) {
    throw new UnsupportedError(`Cannot open a repository with unknown features: ${incompatible.join(', ')}`);
  }
  return {
    version: version as number,
    algorithm,
    features: {
      compatible: strings(features['compatible'], 'features.compatible'),
      readOnlyCompatible: strings(features['read-only-compatible'], 'features.read-only-compatible'),
      incompatible,
    },
    erofsFormats: parseFormats(root['erofs_formats']),
  };
}

function parseFormats(value: unknown): ErofsFormats {
  if (value === undefined) return { default: 2, extra: [] };
  const formats = object(value, 'erofs_formats');
  const extra = formats['extra'] ?? [];
  if (!Array.isArray(extra)) throw new FormatError(FORMAT, 'erofs_formats.extra', 'not an array');
  return {
    default: erofsVersion(formats['default'], 'erofs_formats.default'),
    extra: extra.map((item) => erofsVersion(item, 'erofs_formats.extra')),
  };
}

function erofsVersion(value: unknown, field: string): ErofsVersion {
  if (value === 0 || value === 1 || value === 2) return value;
  throw new FormatError(FORMAT, field, `${JSON.stringify(value)} is not 0, 1 or 2`);
}

function object(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FormatError(FORMAT, field, 'not an object');
}

function strings(value: unknown, field: string): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
  throw new FormatError(FORMAT, field, 'not an array of strings');
}

export function formatMetadata({ version, algorithm, features, erofsFormats }: Metadata): string {
  const json = {
    version,
    algorithm: formatAlgorithm(algorithm),
    features: {
      compatible: features.compatible,
      'read-only-compatible': features.readOnlyCompatible,
      incompatible: features.incompatible,
    },
    erofs_formats: {
      default: erofsFormats.default,
      ...(erofsFormats.extra.length > 0 ? { extra: erofsFormats.extra } : {}),
    },
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** @throws CfsError CONFLICT when a repository is there with other metadata than wanted. */
export function assertSameMetadata(path: string, existing: Metadata, wanted: Metadata): void {
  if (formatMetadata(existing) === formatMetadata(wanted)) return;
  const facts = { path, algorithm: formatAlgorithm(existing.algorithm), erofsVersion: existing.erofsFormats.default };
  throw new CfsError(
    'CONFLICT',
    `Cannot initialize ${path}: a repository with ${facts.algorithm} and EROFS version ${facts.erofsVersion} is there already`,
    facts,
  );
}
