/** Files as commit streams hold them: what can be told of one without its object. */
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import type { StoredObject } from './content.ts';

export interface StoredFile {
  /** Declared size of the content. */
  readonly size: number;
  /** The checksum of header and content; undefined for content that is an object. */
  readonly checksum: OstreeChecksum | undefined;
}

/** @param name the checksum that it is stored by, for messages. @throws FormatError */
export function inspectStoredFile(name: OstreeChecksum, { data, object }: StoredObject): StoredFile {
  const { size, length, hashedHeader } = decodeSizedHeader(data, name);
  if (object !== undefined) return { size, checksum: undefined };
  return { size, checksum: checksumOf(Buffer.concat([hashedHeader, data.subarray(length)])) };
}
