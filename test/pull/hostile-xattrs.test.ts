/** Pulls of commits with more xattrs than an image holds. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { Repository } from '../../src/repository/repository.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, pull } from './support.ts';
const content = Buffer.alloc(5000, 'some content. ');

describe('pullCommit() of large xattrs', () => {
  let repository: HandmadeCommits;
  before(() => {
    repository = new HandmadeCommits();
  });
  after(() => repository[Symbol.dispose]());

  const file = (): OstreeChecksum => repository.file(content);
  const files = (...names: string[]): OstreeChecksum =>
    repository.dirTree(names.map((name) => [name, file()] as const));

  const xattr = (name: string, size: number): { readonly name: string; readonly value: Uint8Array } => ({
    name,
    value: Buffer.alloc(size, 'v'),
  });
  const bigXattrs: readonly (readonly [string, readonly ReturnType<typeof xattr>[], boolean])[] = [
    ['a value of 65535 bytes', [xattr('user.a', 65_535)], true],
    ['a value of 65536 bytes', [xattr('user.a', 65_536)], false],
    ['a value of 1 MiB', [xattr('user.a', 1 << 20)], false],
    ['a name of 255 bytes', [xattr(`user.${'a'.repeat(250)}`, 1)], true],
    ['a name of 262 bytes', [xattr(`user.${'a'.repeat(257)}`, 1)], false],
    ['an unknown prefix of 256 bytes', [xattr('a'.repeat(256), 1)], false],
    ['a value of 40,000 bytes', [xattr('user.a', 40_000)], true],
    ['an overlay name of 255 bytes', [xattr(`trusted.overlay.${'a'.repeat(239)}`, 1)], true],
    [
      'many values that are too large together',
      Array.from({ length: 100 }, (_, i) => xattr(`user.${i + 100}`, 5000)),
      false,
    ],
    ['ten thousand names', Array.from({ length: 10_000 }, (_, i) => xattr(`user.${i + 10_000}`, 2)), true],
    ['a hundred thousand names', Array.from({ length: 100_000 }, (_, i) => xattr(`user.${i + 100_000}`, 2)), false],
  ];
  for (const [name, xattrs, works] of bigXattrs) {
    test(`${works ? 'takes' : 'refuses'} xattrs with ${name}, of files and directories`, async () => {
      const holder = repository.file(content, { xattrs });
      const rootMeta = repository.dirMeta({ xattrs });
      const symlink = repository.file(new Uint8Array(0), { xattrs, mode: 0o120777, symlinkTarget: 'x' });
      for (const erofsVersion of [0, 1, 2] as const) {
        for (const [commit, named] of [
          [repository.commitFiles(['some', file()], ['with', holder]), holder],
          [repository.commitFiles(['some', file()], ['with', symlink]), symlink],
          [repository.commitOf(files('some'), { rootMeta }), rootMeta],
        ] as const) {
          try {
            const path = freshRepository();
            await pull(path, repository.path, commit, { erofsVersion });
            assert(works, `version ${erofsVersion} took it`);
            using opened = await Repository.open(path);
            await assertClean(opened);
          } catch (error) {
            if (works || !(error instanceof CfsError)) throw error;
            assert.equal(error.code, 'LIMIT', error.message);
            assert.match(error.message, /xattr/);
            assert(error.message.includes(named), error.message);
          }
        }
      }
    });
  }
});
