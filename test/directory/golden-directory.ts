/** The golden directory: every file type, xattrs, hard links, whiteouts; and the ids that others computed of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HashAlgorithm } from '../../src/verity/object-id.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');

interface Ids {
  /** Of `compute-id`, by algorithm and `v0`, `v1`, `v2`. */
  readonly cfsctl: Readonly<Record<HashAlgorithm, Readonly<Record<string, string>>>>;
  /** Of C mkcomposefs, by `v0` and `v1`. */
  readonly mkcomposefs: Readonly<Record<string, string>>;
}

export const goldenIds = (JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as { readonly dir: Ids })
  .dir;

/** Unpacks it at `path`, where nothing is yet. Needs root. */
export function unpackGoldenDirectory(path: string): void {
  mkdirSync(path);
  const options = ['--xattrs', '--xattrs-include=*', '-p', '--numeric-owner'];
  const { status, stderr } = spawnSync('tar', [...options, '-xJf', join(fixtures, 'dir.tar.xz'), '-C', path]);
  assert.equal(status, 0, stderr.toString());
}
