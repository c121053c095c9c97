/** Partial commits: pulled of some paths, or without their tree. */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { ContentType } from '../../splitstream/format.ts';
import type { ObjectStore } from '../repository/objects.ts';
import { readStream } from '../repository/streams.ts';
import { namesImage, readCommitStream, streamName } from './commit-stream.ts';

/** True for a stored commit that is partial; false also for one that cannot be read. The content of one with an image is not looked at. */
export function isStoredInPart(store: ObjectStore, commit: OstreeChecksum): boolean {
  try {
    const stream = readStream(store, streamName(commit), { contentType: ContentType.ostreeCommit });
    return !namesImage(stream) && readCommitStream(stream, commit).content.partial;
  } catch (error) {
    if (error instanceof CfsError) return false;
    throw error;
  }
}

/** @throws CfsError PARTIAL for a commit that was pulled in part. */
export function assertComplete(commit: OstreeChecksum, content: { readonly partial: boolean }): void {
  if (content.partial) throw partialError(commit);
}

/** @param lacks what of it is missing, if that is known. */
export function partialError(commit: OstreeChecksum, lacks = 'objects of its tree are missing'): CfsError {
  const next = 'pull it again without --subpath and --commit-metadata-only to complete it';
  return new CfsError('PARTIAL', `Commit ${commit} is stored in part, ${lacks}; ${next}`, { commit });
}
