/** Partial commits: pulled of some paths, or without their tree. */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';

/** @throws CfsError PARTIAL for a commit that was pulled in part. */
export function assertComplete(commit: OstreeChecksum, content: { readonly partial: boolean }): void {
  if (content.partial) throw partialError(commit);
}

/** @param lacks what of it is missing, if that is known. */
export function partialError(commit: OstreeChecksum, lacks = 'objects of its tree are missing'): CfsError {
  const next = 'pull it again without --subpath and --commit-metadata-only to complete it';
  return new CfsError('PARTIAL', `Commit ${commit} is stored in part, ${lacks}; ${next}`, { commit });
}
