/** An XFS in a file, mounted: there a file's content can be shared (reflinked) where tmpfs must copy. Needs root. */
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './programs.ts';

export interface ReflinkDisk {
  /** Where it is mounted. */
  readonly path: string;
  [Symbol.dispose](): void;
}

/** Mounts a new 8 GiB file system (sparse) in the folder `below`; disposing it unmounts. */
export function mountReflinkDisk(below: string): ReflinkDisk {
  const image = join(below, 'xfs.img');
  const path = join(below, 'xfs');
  const fd = openSync(image, 'w');
  ftruncateSync(fd, 8 * 2 ** 30);
  closeSync(fd);
  run(['mkfs.xfs', '-q', '-m', 'reflink=1', image]);
  mkdirSync(path);
  run(['mount', '-o', 'loop', image, path]);
  return { path, [Symbol.dispose]: () => run(['umount', path]) };
}
