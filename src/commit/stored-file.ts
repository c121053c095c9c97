/** Files as commit streams hold them: what can be told of one without its object. */
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeArchiveHeader, decodeSizedHeader } from '../../ostree/file-header.ts';
import type { StoredObject } from './content.ts';

export interface StoredFile {
  /** Declared size of the content. */
  readonly size: number;
  /** The checksum of header and content; undefined for content that is an object. */
  readonly checksum: OstreeChecksum | undefined;
}

/** @param name the checksum that it is stored by, for messages. @throws FormatError */
export function inspectStoredFile(name: OstreeChecksum, { data, object }: StoredObject): StoredFile {
  if (object !== undefined) return { size: decodeArchiveHeader(data, name).size, checksum: undefined };
  const { size, length, hashedHeader } = decodeSizedHeader(data, name);
  return { size, checksum: checksumOf(Buffer.concat([hashedHeader, data.subarray(length)])) };
}
