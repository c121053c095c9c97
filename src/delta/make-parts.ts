/** Makes the parts of one group of objects, in a worker. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { Compression } from '../../ostree/delta/format.ts';
import { chunkCopies } from '../../ostree/delta/make/chunk-match.ts';
import { difference, type Copy } from '../../ostree/delta/make/difference.ts';
import { bytesPiece, PartBuilder, type Part } from '../../ostree/delta/make/part-builder.ts';
import { isSymlinkMode } from '../../ostree/file-header.ts';
import type { MadePart, MadeParts, PartJob, PartTask } from './part-job.ts';
import type { PlannedSource } from './plan.ts';
import { StoredContent } from './stored-content.ts';
import { compressXz } from './xz.ts';

/** A large file is not told by copies unless they are this share of it. */
const MIN_COPIED_SHARE = 0.1;

/** @param onCompressed is told how many objects, and bytes of what they hold, have been compressed since the last call. */
export function makeParts(
  job: PartJob,
  { group, objects }: PartTask,
  onCompressed: (objects: number, bytes: number) => void,
): MadeParts {
  const parts: MadePart[] = [];
  const fallbacks: { checksum: OstreeChecksum; size: number }[] = [];
  const counts = { copied: 0, patched: 0, whole: 0 };
  let builder = new PartBuilder();

  const finish = (): void => {
    if (builder.isEmpty) return;
    parts.push(writePart(job.folder, `${group}.${parts.length}`, builder.finish(), onCompressed));
    builder = new PartBuilder();
  };
  /** The part that has room for an object with so many bytes of its own. */
  const partFor = (bytes: number): PartBuilder => {
    if (builder.exceeds(job.maxChunkSize, bytes)) finish();
    return builder;
  };
  const addWhole = ({ checksum, header, size, piece }: StoredContent): void => {
    partFor(size).addWhole(checksum, header, piece);
    counts.whole++;
  };
  const addCopies = (
    content: StoredContent,
    bytes: Uint8Array | undefined,
    source: OstreeChecksum,
    copies: readonly Copy[],
  ): void => {
    const { checksum, header, size } = content;
    const literal = copies.reduce((rest, { length }) => rest - length, size);
    partFor(literal).addCopies(checksum, header, size, source, copies, (start, length) =>
      // A copy, so that the rest of the file need not stay in memory.
      bytes === undefined ? content.part(start, length) : bytesPiece(bytes.slice(start, start + length)),
    );
    counts.copied++;
  };
  const addSourced = (content: StoredContent, { checksum: from, stored, same }: PlannedSource): void => {
    const old = new StoredContent(job.store, from, stored);
    if (same) {
      verify(old);
      verify(content);
      addCopies(content, undefined, from, [{ start: 0, length: content.size, source: 0 }]);
      return;
    }
    if (old.size + content.size > job.maxPatchSize) {
      const copies = chunkCopies(old.chunks(), content.chunks());
      const copied = copies.reduce((sum, { length }) => sum + length, 0);
      if (copied >= MIN_COPIED_SHARE * content.size) addCopies(content, undefined, from, copies);
      else addUnlike(content);
      return;
    }
    const bytes = content.read();
    const found = difference(old.read(), bytes, { patch: job.patches });
    if (found === undefined) {
      addUnlike(content);
    } else if (found.kind === 'copies') {
      addCopies(content, bytes, from, found.copies);
    } else {
      partFor(found.patch.length).addPatched(content.checksum, content.header, content.size, from, found.patch);
      counts.patched++;
    }
  };
  const addUnlike = (content: StoredContent): void => {
    const { checksum, size } = content;
    if (job.minFallbackSize > 0 && size > job.minFallbackSize) fallbacks.push({ checksum, size });
    else addWhole(content);
  };

  for (const object of objects) {
    if (object.kind === 'metadata') {
      partFor(object.bytes.length).addMetadata(object.type, object.checksum, object.bytes);
      continue;
    }
    const content = new StoredContent(job.store, object.checksum, object.stored);
    if (isSymlinkMode(content.header.mode)) partFor(0).addSymlink(content.checksum, content.header);
    else if (object.source === undefined) addWhole(content);
    else addSourced(content, object.source);
  }
  finish();
  return { parts, fallbacks, counts };
}

/** Reads the content, which throws if it is not what its checksum says. */
function verify(content: StoredContent): void {
  // oxlint-disable-next-line typescript/no-unused-vars -- reading is what is wanted
  for (const _ of content.chunks());
}

/** Compresses a part into a file, and puts that on the disk. */
function writePart(
  folder: string,
  file: string,
  part: Part,
  onCompressed: (objects: number, bytes: number) => void,
): MadePart {
  const fd = openSync(join(folder, file), 'wx', 0o644);
  try {
    const hash = createHash('sha256');
    let size = 0;
    const write = (bytes: Uint8Array): void => {
      hash.update(bytes);
      size += bytes.length;
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    };
    write(Uint8Array.of(Compression.xz));
    for (const chunk of compressXz(counted(part, onCompressed), part.size)) write(chunk);
    fsyncSync(fd);
    return {
      file,
      checksum: hash.digest('hex') as OstreeChecksum,
      size,
      usize: part.usize,
      objects: part.objects,
      objectCount: part.objectCount,
      payloadSize: part.size,
    };
  } finally {
    closeSync(fd);
  }
}

/** The payload; what the part makes counts as done in proportion to what of it was read. */
function* counted(
  part: Part,
  onCompressed: (objects: number, bytes: number) => void,
): Generator<Uint8Array, void, undefined> {
  let read = 0;
  const told = { objects: 0, bytes: 0 };
  for (const chunk of part.payload()) {
    yield chunk;
    read += chunk.length;
    const objects = Math.floor((part.objectCount * read) / part.size);
    const bytes = Math.floor((part.usize * read) / part.size);
    onCompressed(objects - told.objects, bytes - told.bytes);
    told.objects = objects;
    told.bytes = bytes;
  }
}
