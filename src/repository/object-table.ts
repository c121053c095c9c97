/** The digests of all objects in one block of memory that threads share, sorted: a million take 32 or 64 MB. */
import { digestSize, isObjectId, objectIdFromBytes, type HashAlgorithm, type ObjectId } from '../verity/object-id.ts';
import { objectFiles, shownName } from './object-files.ts';

export interface ObjectTable {
  readonly algorithm: HashAlgorithm;
  readonly digests: SharedArrayBuffer;
}

/** Lists the objects of a repository. `onOther` is told of files that are none, by their paths below `objects/`. */
export function listObjects(root: string, algorithm: HashAlgorithm, onOther: (path: string) => void): ObjectTable {
  const parts: Buffer[] = [];
  for (const { prefix, names } of objectFiles(root)) {
    const ids = names.filter((name) => {
      const good = isObjectId(prefix + name, algorithm);
      if (!good) onOther(`${prefix}/${shownName(name)}`);
      return good;
    });
    parts.push(Buffer.from(ids.map((name) => prefix + name).join(''), 'hex'));
  }
  const digests = new SharedArrayBuffer(parts.reduce((sum, part) => sum + part.length, 0));
  const all = Buffer.from(digests);
  let at = 0;
  for (const part of parts) at += part.copy(all, at);
  return { algorithm, digests };
}

export function objectCount({ algorithm, digests }: ObjectTable): number {
  return digests.byteLength / digestSize(algorithm);
}

export function objectAt({ algorithm, digests }: ObjectTable, index: number): ObjectId {
  const size = digestSize(algorithm);
  return objectIdFromBytes(new Uint8Array(digests, index * size, size));
}

/** The index of an object; undefined if it is not in the table. */
export function findObject({ algorithm, digests }: ObjectTable, id: ObjectId): number | undefined {
  const size = digestSize(algorithm);
  const all = Buffer.from(digests);
  const wanted = Buffer.from(id, 'hex');
  let low = 0;
  let high = digests.byteLength / size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = all.compare(wanted, 0, size, middle * size, (middle + 1) * size);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
