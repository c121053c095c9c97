/** The reference repository of `fixtures/`, made by ostree. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { isMetadataType, objectNumbers, type ObjectType } from '../../ostree/object-type.ts';

export const goldenPath = join(import.meta.dirname, '../../fixtures/ostree-repo');

export interface GoldenObject {
  readonly type: ObjectType;
  readonly checksum: OstreeChecksum;
  readonly path: string;
}

/** Every object of a repository; `extension` of files is not part of the type. */
export function objectsOf(repository: string): GoldenObject[] {
  const root = join(repository, 'objects');
  return readdirSync(root).flatMap((folder) =>
    readdirSync(join(root, folder)).flatMap((name): GoldenObject[] => {
      const dot = name.indexOf('.');
      const extension = name.slice(dot + 1);
      const type = (extension === 'filez' ? 'file' : extension) as ObjectType;
      if (!(type in objectNumbers)) throw new Error(`Unknown object ${name}`);
      return [{ type, checksum: (folder + name.slice(0, dot)) as OstreeChecksum, path: join(root, folder, name) }];
    }),
  );
}

export function goldenObjects(type: ObjectType): GoldenObject[] {
  return objectsOf(goldenPath).filter((object) => object.type === type);
}

/** Checksum and bytes of the golden objects of one type. */
export function goldenBytes(type: ObjectType): { checksum: OstreeChecksum; bytes: Buffer }[] {
  return goldenObjects(type).map(({ checksum, path }) => ({ checksum, bytes: readFileSync(path) }));
}

/** Metadata and file objects, what every repository mode has of a commit. */
export function isCommonType(type: ObjectType): boolean {
  return type === 'file' || isMetadataType(type);
}
