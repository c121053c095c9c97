/**
 * Commit streams: the splitstream `ostree-commit-<checksum>` that holds all OSTree objects of a commit, names the objects with
 * the contents of its large files, and refers to the commit's image as `composefs.image`. That of a partial commit holds some of the
 * objects, says so, and names no image.
 */
import { FormatError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { isChecksum } from '../../ostree/checksum.ts';
import { ContentType } from '../../splitstream/format.ts';
import { decodeSplitstream, readInlineContent, type Splitstream } from '../../splitstream/read.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import { CommitContent, encodeContent, type StoredObject } from './content.ts';

/** The named ref to the commit's image; further formats' images have `composefs.image.1`, `.2` … */
const IMAGE_REF = 'composefs.image';

const STREAM_PREFIX = 'ostree-commit-';

export function streamName(commit: OstreeChecksum): string {
  return STREAM_PREFIX + commit;
}

/** The commit whose stream has this name. */
export function commitOfStream(name: string): OstreeChecksum | undefined {
  const checksum = name.slice(STREAM_PREFIX.length);
  return name.startsWith(STREAM_PREFIX) && isChecksum(checksum) ? checksum : undefined;
}

/** A decoded commit stream. */
export interface CommitStream {
  readonly content: CommitContent;
  /** The commit's image. */
  readonly image: ObjectId | undefined;
  /** It, and those of further formats. */
  readonly images: readonly ObjectId[];
}

/**
 * Begins to encode a commit stream: its content is compressed on another thread while the caller builds the images that it is to
 * name.
 * @param partial marks a commit of which objects are missing; it has no image.
 * @returns what completes the stream once the images are known, and gives its bytes.
 */
export function encodeCommitStream(
  algorithm: HashAlgorithm,
  commit: OstreeChecksum,
  objects: ReadonlyMap<OstreeChecksum, StoredObject>,
  partial = false,
): (images: readonly { readonly id: ObjectId }[]) => Promise<Uint8Array> {
  const { content, objectRefs } = encodeContent(commit, objects, partial);
  const writer = new SplitstreamWriter({ algorithm, contentType: ContentType.ostreeCommit });
  for (const id of objectRefs) writer.addObjectRef(id);
  writer.writeInline(content);
  const compressed = writer.compress();
  // Whoever completes the stream is told; the building of an image may fail before.
  compressed.catch(() => undefined);
  return async (images) => {
    for (const [i, { id }] of images.entries()) writer.addNamedRef(i === 0 ? IMAGE_REF : `${IMAGE_REF}.${i}`, id);
    await compressed;
    return writer.finish();
  };
}

/**
 * Decodes a commit stream; object data stay views of one decompressed buffer.
 * @throws FormatError, also for another commit's stream.
 */
export function decodeCommitStream(bytes: Uint8Array, algorithm: HashAlgorithm, commit: OstreeChecksum): CommitStream {
  return readCommitStream(decodeSplitstream(bytes, { algorithm, contentType: ContentType.ostreeCommit }), commit);
}

/** True if a commit's stream names its image: no partial one does. */
export function namesImage(stream: Splitstream): boolean {
  return stream.namedRefs.has(IMAGE_REF);
}

/** The same as `decodeCommitStream` for a splitstream of this content type. */
export function readCommitStream(stream: Splitstream, commit: OstreeChecksum): CommitStream {
  const content = new CommitContent(readInlineContent(stream), stream.objectRefs as readonly ObjectId[]);
  if (content.commit !== commit) {
    throw new FormatError('commit stream', 'commitIndex', `the stream of ${commit} holds commit ${content.commit}`);
  }
  const images: ObjectId[] = [];
  for (const [name, id] of stream.namedRefs) {
    if (name === IMAGE_REF) images.unshift(id as ObjectId);
    else if (name.startsWith(`${IMAGE_REF}.`)) images.push(id as ObjectId);
  }
  return { content, image: stream.namedRefs.get(IMAGE_REF) as ObjectId | undefined, images };
}
