/** Opens OSTree sources with the system calls that reading bare repositories needs. */
import { openLocalRepository, type LocalRepository } from '../../ostree/local/repository.ts';
import { openSource } from '../../ostree/open-source.ts';
import type { Source, SourceDescription } from '../../ostree/source.ts';
import { StoredSource, type StoredSourceDescription } from './stored-source.ts';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { getXattr, listXattrs } from '../linux/xattr.ts';

/** Where the files of a pull come from: an OSTree source, or stored commits of another composefs repository. */
export interface ContentSource extends Pick<Source, 'concurrency' | 'openFile' | 'divide'>, Disposable {
  describe(): ContentSourceDescription;
}

export type ContentSourceDescription = SourceDescription | StoredSourceDescription;

const services = { xattrs: { getXattr, listXattrs } };

/** The OSTree repository at `path`. */
export function openLocalSource(path: string): LocalRepository {
  return openLocalRepository(path, services);
}

/** The same source again, in another thread. */
export function reopenSource(description: SourceDescription): Promise<Source> {
  return openSource(description, services);
}

/** The same, also for stored commits. */
export async function reopenContentSource(description: ContentSourceDescription): Promise<ContentSource> {
  return description.kind === 'stored' ? new StoredSource(description) : reopenSource(description);
}

/** True for an error that says that a source cannot give an object, while another may. */
export function isUnusable(error: unknown): boolean {
  if (error instanceof CfsError) {
    return hasCode(error, 'NOT_FOUND', 'CHECKSUM', 'FORMAT', 'CORRUPT', 'LIMIT', 'PARTIAL');
  }
  return hasCode(
    error,
    'ENOENT',
    'EACCES',
    'EPERM',
    'EIO',
    'ELOOP',
    'EISDIR',
    'ENOTDIR',
    'ESTALE',
    'EBADMSG',
    'EMLINK',
  );
}
