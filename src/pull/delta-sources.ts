/** Files of the stored commit that a delta starts from: read by range, from its stream or its objects. */
import { closeSync, fstatSync } from 'node:fs';
import { NotFoundError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { ByteWindow } from '../../ostree/delta/byte-window.ts';
import type { OpenReadSource, ReadSource } from '../../ostree/delta/interpreter.ts';
import { decodeArchiveHeader, isSymlinkMode } from '../../ostree/file-header.ts';
import type { CommitContent } from '../commit/content.ts';
import { findCommit } from '../commit/stored.ts';
import { objectFile, openObject, type ObjectStore } from '../repository/objects.ts';

/** For an old file, of which a patch takes bytes here and there. */
const MEMORY = 8 * 1024 * 1024;

/** Opens files of the stored commit `from`, which is read when the first is asked for unless it is `known`; one is in use at a time. */
export function deltaSources(
  store: ObjectStore,
  from: OstreeChecksum | undefined,
  known?: CommitContent,
): OpenReadSource {
  let content = known;
  const memory = Buffer.allocUnsafeSlow(MEMORY);
  return (checksum) => {
    if (from === undefined) return undefined;
    content ??= readContent(store, from);
    return openStored(store, content, checksum, memory);
  };
}

function readContent(store: ObjectStore, from: OstreeChecksum): CommitContent {
  const stored = findCommit(store, from);
  if (stored !== undefined) return stored.content;
  throw new NotFoundError(`Commit ${from}, which is the delta source, is not in ${store.path}`, { object: from });
}

function openStored(
  store: ObjectStore,
  content: CommitContent,
  checksum: OstreeChecksum,
  memory: Uint8Array,
): ReadSource | undefined {
  const stored = content.get(checksum);
  if (stored === undefined) return undefined;
  const { header, length } = decodeArchiveHeader(stored.data, checksum);
  if (isSymlinkMode(header.mode)) return undefined;
  if (stored.object === undefined) {
    const inline = new ByteWindow(stored.data, length, stored.data.length - length);
    return { content: inline, [Symbol.dispose]: () => undefined };
  }
  const fd = openObject(store, stored.object);
  const path = objectFile(store, stored.object);
  return {
    content: new ByteWindow({ fd, path }, 0, fstatSync(fd).size, memory),
    [Symbol.dispose]: () => closeSync(fd),
  };
}
