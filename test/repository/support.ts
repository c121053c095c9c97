/** Repositories in temporary folders, for tests. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Repository } from '../../src/repository/repository.ts';
import type { HashAlgorithm } from '../../src/verity/object-id.ts';
import { needs, toolPath } from '../needs.ts';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'cfs-repository-'));
after(() => rmSync(base, { recursive: true, force: true }));

let count = 0;

/** A path where nothing is yet. */
export function freshPath(): string {
  return join(base, String(++count));
}

/** The path of a new insecure repository. */
export function freshRepository(algorithm: HashAlgorithm = 'sha256'): string {
  const path = freshPath();
  Repository.init(path, { algorithm, insecure: true });
  return path;
}

/** The program of composefs-rs, where it is installed. */
export const cfsctl = toolPath('cfsctl');
export const skipWithoutCfsctl = needs('cfsctl');
