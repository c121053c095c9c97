/** What a check found, as what there is to repair. */
import { basename, join } from 'node:path';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { commitOfStream } from '../commit/commit-stream.ts';
import type { FsckReport } from '../repository/fsck-report.ts';
import { readLink } from '../repository/links.ts';
import { listStreams, readStreamObject } from '../repository/streams.ts';
import type { Repository } from '../repository/repository.ts';
import { isObjectId, type ObjectId } from '../verity/object-id.ts';
import { isUnreadable, type DamagedObjects } from './known.ts';

export interface Damage extends DamagedObjects {
  /** Objects that something needs and that are not there. */
  readonly missing: ReadonlySet<ObjectId>;
  /** Commits whose stream, image or files are in need of repair. */
  readonly commits: ReadonlySet<OstreeChecksum>;
}

const DAMAGED: ReadonlySet<string> = new Set([
  'object-digest-mismatch',
  'object-verity-failed',
  'object-verity-missing',
  'object-open-failed',
]);
const MISSING: ReadonlySet<string> = new Set(['missing-object-ref', 'missing-named-ref', 'image-missing-object']);

export function findDamage(repository: Repository, report: FsckReport): Damage {
  const objects = new Set<ObjectId>();
  const missing = new Set<ObjectId>();
  const commits = new Set<OstreeChecksum>();
  const needed = new Set<string>();
  const add = (set: Set<ObjectId>, text: string): void => {
    if (isObjectId(text, repository.algorithm)) set.add(text);
  };
  for (const { kind, path, detail = '' } of report.problems) {
    if (DAMAGED.has(kind)) add(objects, path.replaceAll(/^objects|\//g, ''));
    if (MISSING.has(kind)) add(missing, detail.slice(detail.lastIndexOf(' ') + 1));
    if (path.startsWith('images/')) needed.add(basename(path));
    const stream = path.startsWith('streams/refs/') ? targetOf(repository, path) : path.replace(/^streams\//, '');
    const commit = commitOfStream(stream);
    if (commit !== undefined) commits.add(commit);
  }
  for (const id of [...objects, ...missing]) needed.add(id);
  for (const { name, id } of needed.size === 0 ? [] : listStreams(repository)) {
    const commit = commitOfStream(name);
    if (commit !== undefined && usesAny(repository, id, needed)) commits.add(commit);
  }
  const wrongSums = new Set(report.wrongSums.map(({ sum, object }) => `${sum} ${object}`));
  return { objects, missing, commits, wrongSums };
}

function targetOf({ path: root }: Repository, path: string): string {
  try {
    return basename(readLink(join(root, path)) ?? '');
  } catch (error) {
    // No symlink: nothing that names a commit.
    if (hasCode(error, 'CONFLICT', 'ENOTDIR')) return '';
    throw error;
  }
}

function usesAny(repository: Repository, stream: ObjectId, ids: ReadonlySet<string>): boolean {
  try {
    const { objectRefs, namedRefs } = readStreamObject(repository, stream);
    return [...objectRefs, ...namedRefs.values()].some((id) => ids.has(id));
  } catch (error) {
    // Reported by itself.
    if (error instanceof CfsError || isUnreadable(error)) return false;
    throw error;
  }
}
