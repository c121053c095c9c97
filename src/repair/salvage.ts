/** Objects that are had again by their digest: from misplaced copies, and from contents that lie in commit streams. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { CfsError } from '../../bytes/errors.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import { findCommit, newestCommits } from '../commit/stored.ts';
import type { FsckReport } from '../repository/fsck-report.ts';
import { readPieces } from '../repository/measure.ts';
import type { ObjectWriter } from '../repository/object-writer.ts';
import type { Repository } from '../repository/repository.ts';
import { verityDigest, VerityHasher } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import type { DamagedObjects } from './known.ts';
import type { LostFound } from './lost-found.ts';

/** Other programs may make objects of files that commit streams hold themselves, down to this size. */
const SMALLEST_OBJECT = 65;

/** Stores again what it finds. @returns the objects that are good now */
export async function salvageObjects(
  repository: Repository,
  lost: ReadonlySet<ObjectId>,
  { problems }: FsckReport,
  damaged: DamagedObjects,
  lostFound: LostFound,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<ObjectId>> {
  const found = new Set<ObjectId>();
  if (lost.size === 0) return found;
  using transaction = await repository.begin({ signal, damaged: damaged.objects });
  const store = (content: Uint8Array): void => {
    const id = verityDigest(repository.algorithm, content);
    if (!lost.has(id) || found.has(id)) return;
    transaction.storeBytes(content, id);
    found.add(id);
  };
  for (const { kind, path, detail = '' } of problems) {
    if (kind !== 'object-digest-mismatch' || !lost.has(detail.replace('measured ', '') as ObjectId)) continue;
    const id = detail.replace('measured ', '') as ObjectId;
    // The place itself may have been mended by now, if objects have changed places.
    if (copyObject(transaction.writer, repository.algorithm, lostFound.copyOf(path), id)) found.add(id);
  }
  for (const content of inlineContents(repository)) {
    signal?.throwIfAborted();
    if (found.size === lost.size) break;
    store(content);
  }
  await transaction.commit();
  return found;
}

/** False if the content has become another one. */
function copyObject(writer: ObjectWriter, algorithm: HashAlgorithm, from: string, id: ObjectId): boolean {
  const source = openSync(from, 'r');
  try {
    const fd = writer.begin();
    const verity = new VerityHasher(algorithm);
    try {
      for (const piece of readPieces(source)) {
        for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
        verity.update(piece);
      }
    } catch (error) {
      writer.abort(fd);
      throw error;
    }
    const isRight = verity.digest() === id;
    if (isRight) writer.commit(fd, id, verity.size);
    else writer.abort(fd);
    return isRight;
  } finally {
    closeSync(source);
  }
}

/** The larger files of all commits that are no objects. */
function* inlineContents(repository: Repository): Generator<Uint8Array, void, undefined> {
  for (const commit of newestCommits(repository, Infinity)) {
    try {
      for (const [checksum, { data, object }] of findCommit(repository, commit)?.content.entries() ?? []) {
        if (object !== undefined || data.length < SMALLEST_OBJECT) continue;
        const content = contentOf(data, checksum);
        if (content !== undefined && content.length >= SMALLEST_OBJECT) yield content;
      }
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
    }
  }
}

function contentOf(data: Uint8Array, checksum: Parameters<typeof decodeSizedHeader>[1]): Uint8Array | undefined {
  try {
    const { length, size } = decodeSizedHeader(data, checksum);
    return data.length === length + size ? data.subarray(length) : undefined;
  } catch (error) {
    if (error instanceof CfsError) return undefined;
    throw error;
  }
}
