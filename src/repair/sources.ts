/** Where a repair gets from what the repository has lost: other repositories, by OSTree checksum. */
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import type { HashedMetadataType } from '../../ostree/object-type.ts';
import type { Source } from '../../ostree/source.ts';
import { openReference, type Reference } from '../pull/references.ts';
import { isUnusable, type ContentSource } from '../pull/source.ts';

export interface RepairSource extends Disposable {
  /** Path or URL, for messages. */
  readonly location: string;
  /** Verified; undefined if it cannot be had here. */
  readMetadata(
    type: HashedMetadataType,
    checksum: OstreeChecksum,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined>;
  /** Those of the files that may be had here. */
  filesOf(
    files: readonly OstreeChecksum[],
  ): { readonly source: ContentSource; readonly files: readonly OstreeChecksum[] } | undefined;
}

/** An OSTree or composefs repository on this machine. @throws NotFoundError */
export async function openRepairRepository(path: string, signal?: AbortSignal): Promise<RepairSource> {
  const reference: Reference = await openReference(path, { signal });
  return {
    location: path,
    readMetadata: async (type, checksum) => verified(checksum, reference.readMetadata(type, checksum)),
    filesOf: (files) => reference.filesOf(files),
    [Symbol.dispose]: () => reference[Symbol.dispose](),
  };
}

/** A source that the caller closes. */
export function repairSource(source: Source): RepairSource {
  return {
    location: source.location,
    async readMetadata(type, checksum, signal) {
      try {
        return verified(checksum, await source.readObject(type, checksum, signal));
      } catch (error) {
        if (isOut(error)) return undefined;
        throw error;
      }
    },
    filesOf: (files) => ({ source, files }),
    [Symbol.dispose]: () => undefined,
  };
}

function verified(checksum: OstreeChecksum, bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes !== undefined && checksumOf(bytes) === checksum ? bytes : undefined;
}

/** True for an error after which another source is asked. */
export function isOut(error: unknown): boolean {
  return isUnusable(error) || (error instanceof CfsError && hasCode(error, 'FETCH', 'TIMEOUT', 'UNSUPPORTED'));
}
