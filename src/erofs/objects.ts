/** Which objects an image needs: the external files of its tree. */
import type { Directory } from '../tree/tree.ts';
import { isObjectId, type ObjectId } from '../verity/object-id.ts';
import { readImage } from './read.ts';

const objectPath = /^([0-9a-f]{2})\/([0-9a-f]+)$/;

/** The ids of all external files: by digest and by payload, for a payload that is the path of an object. */
function externalObjects(root: Directory): Set<ObjectId> {
  const ids = new Set<ObjectId>();
  const open: Directory[] = [root];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const node of directory.entries.values()) {
      if (node.kind === 'directory') {
        open.push(node);
      } else if (node.kind === 'file' && node.content === undefined) {
        if (node.digest !== undefined) ids.add(node.digest);
        if (node.payload !== undefined && !isPathOf(node.payload, node.digest)) {
          const match = objectPath.exec(node.payload);
          const id = match === null ? '' : match[1]! + match[2]!;
          if (isObjectId(id, 'sha256') || isObjectId(id, 'sha512')) ids.add(id);
        }
      }
    }
  }
  return ids;
}

function isPathOf(payload: string, digest: ObjectId | undefined): boolean {
  return (
    digest !== undefined &&
    payload.length === digest.length + 1 &&
    payload.startsWith(digest.slice(0, 2)) &&
    payload.endsWith(digest.slice(2))
  );
}

/** The objects that an image needs. @throws as `readImage` */
export function imageObjects(image: Uint8Array): Set<ObjectId> {
  return externalObjects(readImage(image));
}
