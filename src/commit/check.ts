/**
 * What `fsck` checks of a commit stream beyond its form: the metadata graph and all files against their OSTree checksums (large
 * ones in the same reading as their objects, so not without the objects), and that the image which the stream names is the image of
 * this commit. composefs-rs up to 0.9.4 stores a wrong one for commits with extended
 * attributes.
 */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import { ContentType } from '../../splitstream/format.ts';
import type { Splitstream } from '../../splitstream/read.ts';
import { readImageHeader } from '../erofs/read-header.ts';
import type { StreamKnowledge } from '../repository/fsck.ts';
import type { ToldSum } from '../repository/fsck-report.ts';
import { objectSize, readObject, type ObjectStore } from '../repository/objects.ts';
import type { Directory } from '../tree/tree.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { commitOfStream, readCommitStream } from './commit-stream.ts';
import type { CommitContent, StoredObject } from './content.ts';
import { buildImage } from './image.ts';
import { inspectStoredFile } from './stored-file.ts';
import { storedGraph } from './stored.ts';
import { commitTree } from './tree.ts';

/** For `checkRepository`. */
export function commitKnowledge(store: ObjectStore): StreamKnowledge {
  return {
    check: (name, stream) => checkCommitStream(store, name, stream),
    sums: commitSums,
    isPartial: (name, stream) => contentOf(name, stream)?.partial === true,
  };
}

function contentOf(name: string, stream: Splitstream): CommitContent | undefined {
  const commit = stream.contentType === ContentType.ostreeCommit ? commitOfStream(name) : undefined;
  return commit === undefined ? undefined : readCommitStream(stream, commit).content;
}

/** The checksums of the files whose contents are objects. */
function* commitSums(name: string, stream: Splitstream): Generator<ToldSum, void, undefined> {
  for (const [sum, { data, object }] of contentOf(name, stream)?.entries() ?? []) {
    if (object === undefined) continue;
    yield { what: 'file object', sum, object, head: decodeSizedHeader(data, sum).hashedHeader };
  }
}

/** Descriptions of what is wrong with the stream; nothing for streams that hold no commit. */
async function checkCommitStream(store: ObjectStore, name: string, stream: Splitstream): Promise<string[]> {
  if (stream.contentType !== ContentType.ostreeCommit) return [];
  const commit = commitOfStream(name);
  if (commit === undefined) return ['holds a commit, but is not named by one'];
  try {
    const decoded = readCommitStream(stream, commit);
    const graph = await storedGraph({ checksum: commit, content: decoded.content });
    const problems = [...graph.files].flatMap((file) => checkFile(store, file, decoded.content.get(file)));
    if (problems.length > 0) return problems;
    if (graph.partial) return decoded.images.map((image) => `is a partial commit, but names image ${image}`);
    const tree = commitTree(graph, (file) => decoded.content.get(file));
    return decoded.images.flatMap((image) => checkImage(store, image, tree));
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    return [error.message];
  }
}

function checkFile(store: ObjectStore, checksum: OstreeChecksum, stored: StoredObject | undefined): string[] {
  if (stored === undefined) return [`lacks its file object ${checksum}`];
  const { size, checksum: actual } = inspectStoredFile(checksum, stored);
  if (stored.object !== undefined) {
    const found = objectSize(store, stored.object);
    // A missing object is reported by the check of the object refs.
    if (found === undefined || found === size) return [];
    return [`file object ${checksum} has ${size} bytes, its object ${stored.object} has ${found}`];
  }
  return actual === checksum ? [] : [`corrupted file object ${checksum}: checksum ${actual}`];
}

/** Compares an image with the one of the same format that the commit's tree gives. */
function checkImage(store: ObjectStore, image: ObjectId, tree: Directory): string[] {
  // A missing image is reported by the check of the named refs.
  if (objectSize(store, image) === undefined) return [];
  const { version } = readImageHeader(readObject(store, image));
  const right = buildImage(tree, store.algorithm, version).id;
  if (image === right) return [];
  return [
    `image ${image} is not the image of this commit, which is ${right}; rebuild it with 'cfs ostree create-image'`,
  ];
}
