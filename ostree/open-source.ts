/** Opening a source from its description, as a worker thread does. */
import { openLocalRepository } from './local/repository.ts';
import type { XattrReader } from './local/xattr-reader.ts';
import type { Source, SourceDescription } from './source.ts';

/** Opens what `Source.describe` described. */
export function openSource(description: SourceDescription, services: { readonly xattrs?: XattrReader } = {}): Source {
  const { path, remoteFallback } = description;
  return openLocalRepository(path, { ...services, remoteFallback });
}
