/** Names of objects that wait in a staging folder: all in one folder, so the first two digits are part of the name. */
import { lstatSync } from 'node:fs';
import type { OstreeChecksum } from '../checksum.ts';
import { isMetadataType, loosePath, objectName, objectNumbers, type ObjectType } from '../object-type.ts';

/** One repository among those that objects may lie in: its `objects` folder. */
export interface ObjectsFolder {
  readonly path: string;
  readonly archive: boolean;
}

export function stagedName(type: ObjectType, checksum: OstreeChecksum, archive: boolean): string {
  return objectName(type, checksum) + (archive && !isMetadataType(type) ? 'z' : '');
}

/** The type of a staged object, and where it belongs below `objects/`; undefined for what is none. */
export function parseStagedName(name: string): { readonly type: ObjectType; readonly place: string } | undefined {
  const [, type] = /^[0-9a-f]{64}\.([a-z-]+?)(?:z?)$/.exec(name) ?? [];
  if (type === undefined || !Object.hasOwn(objectNumbers, type)) return undefined;
  return { type: type as ObjectType, place: `${name.slice(0, 2)}/${name.slice(2)}` };
}

/** True if one of the repositories has the object. */
export function isPresent(folders: readonly ObjectsFolder[], type: ObjectType, checksum: OstreeChecksum): boolean {
  return folders.some(({ path, archive }) => {
    const file = `${path}/${loosePath(type, checksum, archive)}`;
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  });
}
