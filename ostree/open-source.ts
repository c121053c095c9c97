/** Opening a source from its description, as a worker thread does. */
import { openLocalRepository } from './local/repository.ts';
import type { XattrReader } from './local/xattr-reader.ts';
import type { Source, SourceDescription } from './source.ts';

/** Opens what `Source.describe` described. The code for HTTP is loaded only if it is needed. */
export async function openSource(
  description: SourceDescription,
  services: { readonly xattrs?: XattrReader } = {},
): Promise<Source> {
  if (description.kind === 'http') {
    const { HttpSource } = await import('./http/source.ts');
    return new HttpSource(description);
  }
  if (description.kind === 'delta') {
    const { DeltaFileSource } = await import('./delta/file-source.ts');
    return new DeltaFileSource(description.path);
  }
  if (description.kind === 'libostree') {
    const { LibostreeSource } = await import('./gi/source.ts');
    return LibostreeSource.open(description);
  }
  const { path, remoteFallback } = description;
  return openLocalRepository(path, { ...services, remoteFallback });
}
