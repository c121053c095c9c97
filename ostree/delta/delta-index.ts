/** Delta indexes: the static deltas to one commit, with the digests of their superblocks. */
import { lookup } from '../../gvariant/src/decode.ts';
import type { OstreeChecksum } from '../checksum.ts';
import { decodeListedDelta, type ListedDelta } from '../summary.ts';
import { decodeNormal, normalForm } from '../variant.ts';
import { DeltaKey, INDEX_TYPE } from './format.ts';

/** Decodes a delta index; what leads to another commit is left out. @throws FormatError */
export function decodeDeltaIndex(bytes: Uint8Array, to: OstreeChecksum): ListedDelta[] {
  const format = `delta index of ${to}`;
  const deltas = lookup(decodeNormal(INDEX_TYPE, bytes, format), DeltaKey.staticDeltas, 'a{sv}');
  const listed = Array.from({ length: deltas?.length ?? 0 }, (_, i) => {
    const field = `${DeltaKey.staticDeltas}[${i}]`;
    return decodeListedDelta(
      normalForm(format, field, () => deltas!.bytesAt(i)),
      format,
      field,
    );
  });
  return listed.filter((delta) => delta.to === to);
}
