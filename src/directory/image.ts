/** Images of directories, as composefs-rs makes them. */
import { UnsupportedError } from '../../bytes/errors.ts';
import { writeImage } from '../erofs/write.ts';
import type { OnProgress } from '../progress.ts';
import type { LockOptions } from '../repository/lock.ts';
import type { ErofsVersion } from '../repository/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import type { Directory } from '../tree/tree.ts';
import { verityDigest } from '../verity/digest.ts';
import type { HashAlgorithm, ObjectId } from '../verity/object-id.ts';
import type { ContentTask } from './content-file.ts';
import type { StoreOutcome } from './content-ring.ts';
import { selinuxPolicy } from './policy.ts';
import { readDirectory, type ReadDirectory } from './read.ts';
import { normalizeContainerRoot, prepareForBoot } from './root-file-system.ts';

export interface RootOptions {
  /** Take the metadata of the root from `/usr`, empty `/run`, and drop xattrs; see `normalizeContainerRoot`. */
  readonly propagateUsr: boolean;
  /** Keep `user.*` among them. */
  readonly keepUserXattrs: boolean;
  /** Prepare it for booting; see `prepareForBoot`. */
  readonly bootable: boolean;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** The tree of the root file system at `path`. Nothing is stored. @throws as `readDirectory`; UnsupportedError, CfsError CONFLICT */
export async function readRoot(path: string, algorithm: HashAlgorithm, options: RootOptions): Promise<Directory> {
  return (await read(path, { algorithm, writer: undefined, batch: 0 }, options)).root;
}

async function read(path: string, content: ContentTask, options: RootOptions): Promise<ReadDirectory> {
  const { threads, signal, onProgress } = options;
  const policy = options.bootable ? selinuxPolicy(path) : undefined;
  if (policy !== undefined) {
    throw new UnsupportedError(
      `Cannot prepare ${path} for booting: it has the SELinux policy '${policy}', by which this program cannot label files`,
      { path, policy },
    );
  }
  const result = await readDirectory(path, { content, threads, hardLinks: true, signal, onProgress });
  const { root } = result;
  if (options.propagateUsr) normalizeContainerRoot(root, options);
  if (options.bootable) prepareForBoot(root);
  return result;
}

/** The image of a tree and its id. */
export function rootImage(
  tree: Directory,
  algorithm: HashAlgorithm,
  version: ErofsVersion,
): { readonly id: ObjectId; readonly bytes: Uint8Array } {
  const bytes = writeImage(tree, { version, dialect: 'composefs-rs' });
  return { id: verityDigest(algorithm, bytes), bytes };
}

export interface StoredRoot {
  /** In the repository's default format. */
  readonly image: ObjectId;
  /** In every format of the repository. */
  readonly images: readonly ObjectId[];
  readonly objects: Readonly<Record<StoreOutcome, number>>;
}

/**
 * Stores a directory's contents and its image.
 * @param options `version` takes the place of the repository's default one; `name` is a ref below `images/refs/`.
 */
export async function storeRoot(
  repository: Repository,
  path: string,
  options: RootOptions & {
    readonly version?: ErofsVersion | undefined;
    readonly name?: string | undefined;
    readonly lock?: LockOptions | undefined;
  },
): Promise<StoredRoot> {
  using transaction = await repository.begin(options.lock);
  const { algorithm, formats } = repository;
  const { root, objects } = await read(path, { algorithm, writer: transaction.writerOptions, batch: 0 }, options);
  options.onProgress?.({ phase: 'image', done: 0 });
  const version = options.version ?? formats.default;
  const images: ObjectId[] = [];
  for (const each of new Set([version, ...formats.extra])) {
    const { id, bytes } = rootImage(root, algorithm, each);
    transaction.storeBytes(bytes, id);
    transaction.linkImage(id);
    images.push(id);
  }
  const [image] = images as [ObjectId, ...ObjectId[]];
  if (options.name !== undefined) transaction.linkRef('images', options.name, image);
  await transaction.commit();
  return { image, images, objects };
}
