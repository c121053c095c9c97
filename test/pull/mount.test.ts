/** Images of pulled commits as Linux mounts them, beside what `ostree checkout` makes of the commits. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { mountComposefs } from '../../src/linux/mount.ts';
import { unmount } from '../../src/linux/old-mount.ts';
import { getXattr, listXattrs } from '../../src/linux/xattr.ts';
import { objectPath } from '../../src/verity/object-id.ts';
import { needs } from '../needs.ts';
import { makeRepositories, ostree, repositoryNeeds, type Repositories } from '../ostree/real-ostree.ts';
import { freshRepository } from '../repository/support.ts';
import { pull } from './support.ts';

interface Entry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly mode: string;
  readonly owner: string;
  readonly content: string | undefined;
  readonly size: number | undefined;
  readonly xattrs: readonly (readonly [string, string])[];
}

/** Everything that a user can see below `root`; paths that are hard links of each other are not told apart. */
function look(root: string, path = ''): Entry[] {
  const full = join(root, path);
  const stat = lstatSync(full);
  const kind = stat.isSymbolicLink() ? 'symlink' : stat.isDirectory() ? 'directory' : 'file';
  const content =
    kind === 'symlink'
      ? readlinkSync(full)
      : kind === 'file'
        ? createHash('sha256').update(readFileSync(full)).digest('hex')
        : undefined;
  const entry: Entry = {
    path,
    kind,
    mode: stat.mode.toString(8),
    owner: `${stat.uid}:${stat.gid}`,
    content,
    size: kind === 'directory' ? undefined : stat.size,
    xattrs: listXattrs(full)
      .toSorted()
      .map((name) => [name, Buffer.from(getXattr(full, name) ?? []).toString('hex')] as const),
  };
  if (kind !== 'directory') return [entry];
  return [
    entry,
    ...readdirSync(full)
      .toSorted()
      .flatMap((name) => look(root, join(path, name))),
  ];
}

const skip = needs(...repositoryNeeds, 'EROFS in the kernel', 'overlay in the kernel', 'loop devices');

describe('the image of a pulled commit', { skip }, () => {
  let repositories: Repositories;
  before(() => {
    repositories = makeRepositories();
  });
  after(() => repositories[Symbol.dispose]());

  for (const algorithm of ['sha256', 'sha512'] as const) {
    for (const ref of ['golden/x86_64/os', 'golden/plain', 'golden/single', 'golden/empty']) {
      for (const erofsVersion of [0, 1, 2] as const) {
        test(`of ${ref}, version ${erofsVersion}, ${algorithm}, is mounted as ostree checks the commit out`, async () => {
          const path = freshRepository(algorithm);
          const { image } = await pull(path, repositories.archive, ref, { erofsVersion });
          const checkout = join(repositories.root, `checkout-${algorithm}-${ref.replaceAll('/', '-')}-${erofsVersion}`);
          ostree('checkout', `--repo=${repositories.bare}`, ref, checkout);
          const target = `${checkout}-mounted`;
          mkdirSync(target);
          const objects = join(path, 'objects');
          mountComposefs({
            image: join(objects, objectPath(image)),
            objects: [objects],
            source: `composefs:${image}`,
            target,
            readOnly: true,
          });
          try {
            const mounted = look(target);
            assert(mounted.length > 0);
            assert.deepEqual(mounted, look(checkout));
            // Checkouts have times of their own.
            for (const { path: name } of mounted) assert.equal(lstatSync(join(target, name)).mtimeMs, 0);
            if (ref === 'golden/x86_64/os') {
              const names = new Set(mounted.flatMap(({ xattrs }) => xattrs.map(([name]) => name)));
              assert(names.has('security.capability'), [...names].join(' '));
            }
          } finally {
            unmount(target);
          }
        });
      }
    }
  }
});
