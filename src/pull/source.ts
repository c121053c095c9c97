/** Opens OSTree sources with the system calls that reading bare repositories needs. */
import { openLocalRepository } from '../../ostree/local/repository.ts';
import { openSource } from '../../ostree/open-source.ts';
import type { Source, SourceDescription } from '../../ostree/source.ts';
import { getXattr, listXattrs } from '../linux/xattr.ts';

const services = { xattrs: { getXattr, listXattrs } };

/** The OSTree repository at `path`. */
export function openLocalSource(path: string): Source {
  return openLocalRepository(path, services);
}

/** The same source again, in another thread. */
export function reopenSource(description: SourceDescription): Promise<Source> {
  return openSource(description, services);
}
