/** Partial commits: pulled of some paths, or without their tree. */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { ObjectType } from '../../ostree/object-type.ts';
import { ContentType } from '../../splitstream/format.ts';
import type { ObjectStore } from '../repository/objects.ts';
import { readStream } from '../repository/streams.ts';
import type { CommitGraph } from './graph.ts';
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

/** An object that the graph of a stored commit needs is not there. @throws CfsError PARTIAL, or CORRUPT for a commit that should have it. */
export function missingObject(
  { checksum, partial }: Pick<CommitGraph, 'checksum' | 'partial'>,
  type: ObjectType,
  object: OstreeChecksum,
): never {
  if (partial) throw partialError(checksum, `its ${type} object ${object} is missing`);
  throw new CfsError('CORRUPT', `The stored commit ${checksum} lacks its ${type} object ${object}`, { object });
}

/** @param lacks what of it is missing, if that is known. */
function partialError(commit: OstreeChecksum, lacks = 'objects of its tree are missing'): CfsError {
  const next = 'pull it again without --subpath and --commit-metadata-only to complete it';
  return new CfsError('PARTIAL', `Commit ${commit} is stored in part, ${lacks}; ${next}`, { commit });
}
