/** Why the images of two trees have other digests, also where the trees are the same. */
import { writeImage } from '../erofs/write.ts';
import type { ImageVersion } from '../erofs/format.ts';
import { readImageHeader } from '../erofs/read-header.ts';
import type { Directory } from '../tree/tree.ts';
import { verityDigest } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';

export interface ImageFacts {
  readonly version: ImageVersion;
  /** In bytes. */
  readonly size: number;
  /** Its fs-verity digest. */
  readonly id: ObjectId;
  /**
   * Where it first differs from the image that is written of its tree, in the same version, by C mkcomposefs' rules or by those of
   * composefs-rs; undefined if it is one of those.
   */
  readonly deviates: number | undefined;
}

export function imageFacts(image: Uint8Array, tree: Directory, algorithm: HashAlgorithm): ImageFacts {
  const { version } = readImageHeader(image);
  const places = (['c', 'composefs-rs'] as const).map((dialect) =>
    firstDifference(image, writeImage(tree, { version, dialect })),
  );
  const deviates = places.includes(undefined) ? undefined : Math.max(...places.map(Number));
  return { version, size: image.length, id: verityDigest(algorithm, image), deviates };
}

/** The position of the first byte that differs, which may be the end of the shorter one. */
function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  const common = Math.min(a.length, b.length);
  if (a.length === b.length && Buffer.compare(a, b) === 0) return undefined;
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return i;
  return common;
}
