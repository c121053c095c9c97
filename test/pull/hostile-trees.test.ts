/** Pulls of trees and commits that are false, or made to do harm. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { encode } from '../../gvariant/src/encode.ts';
import { checksumBytes, type OstreeChecksum } from '../../ostree/checksum.ts';
import { storedTree } from '../../src/commit/image.ts';
import { readCommit } from '../../src/commit/stored.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { Inode } from '../../src/tree/tree.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { refuses } from './refuses.ts';
import { assertClean, pull } from './support.ts';
const content = Buffer.alloc(5000, 'some content. ');

describe('pullCommit() of false trees', () => {
  let repository: HandmadeCommits;
  before(() => {
    repository = new HandmadeCommits();
  });
  after(() => repository[Symbol.dispose]());

  const file = (): OstreeChecksum => repository.file(content);
  const directories = (...names: string[]): OstreeChecksum =>
    repository.dirTree(
      [],
      names.map((name) => [name, repository.empty, repository.meta] as const),
    );
  const files = (...names: string[]): OstreeChecksum =>
    repository.dirTree(names.map((name) => [name, file()] as const));
  const badTrees: readonly (readonly [string, () => OstreeChecksum, string?])[] = [
    ['the name ..', () => files('..')],
    ['the name .', () => files('.')],
    ['a name with a slash', () => files('a/b')],
    ['an absolute name', () => files('/etc')],
    ['an empty name', () => files('')],
    ['a directory ..', () => directories('..')],
    ['a directory with a slash', () => directories('a/b')],
    ['a directory without a name', () => directories('')],
    ['a name twice', () => files('a', 'a')],
    ['a directory twice', () => directories('a', 'a')],
    [
      'a name that is a file and a directory',
      () => repository.dirTree([['a', file()]], [['a', repository.empty, repository.meta]]),
    ],
    ['names out of order', () => files('b', 'a')],
    ['directories out of order', () => directories('b', 'a')],
    ['a name of 256 bytes', () => files('x'.repeat(256)), 'LIMIT'],
    ['a name of 256 bytes in UTF-8', () => files('ä'.repeat(128)), 'LIMIT'],
    ['a directory of 256 bytes', () => directories('x'.repeat(256)), 'LIMIT'],
    [
      'a name with a NUL',
      () => {
        const bytes = Buffer.from(readFileSync(repository.pathOf('dirtree', files('aXb'))));
        bytes[bytes.indexOf('X')] = 0;
        return repository.raw('dirtree', bytes);
      },
    ],
    [
      'a name that is no UTF-8',
      () => {
        const bytes = Buffer.from(readFileSync(repository.pathOf('dirtree', files('aXb'))));
        bytes[bytes.indexOf('X')] = 0xff;
        return repository.raw('dirtree', bytes);
      },
    ],
    [
      'a checksum of 31 bytes',
      () => repository.raw('dirtree', encode('(a(say)a(sayay))', [[['a', new Uint8Array(31)]], []])),
    ],
    ['no bytes', () => repository.raw('dirtree', new Uint8Array(0))],
    ['framing offsets that are no GVariant in normal form', () => repository.raw('dirtree', Buffer.alloc(100, 0xff))],
    ['bytes between its members', () => repository.raw('dirtree', Buffer.from([0, 0, 1]))],
  ];
  for (const [name, make, code = 'FORMAT'] of badTrees) {
    test(`refuses a dirtree with ${name}`, async () => {
      const tree = make();
      await refuses(repository.path, { commit: repository.commitOf(tree), code, names: tree });
      const parent = repository.dirTree([], [['below', tree, repository.meta]]);
      await refuses(repository.path, { commit: repository.commitOf(parent), code, names: tree });
    });
  }

  test('takes names of 255 bytes, and odd ones', async () => {
    const names = ['\n', ' ', '-x', '.wh.x', 'x'.repeat(255), 'ä'.repeat(127), '\u{10ffff}'].toSorted();
    const path = freshRepository();
    const { commit } = await pull(path, repository.path, repository.commitOf(files(...names)));
    using opened = await Repository.open(path);
    const tree = await storedTree(readCommit(opened, commit));
    assert.deepEqual(
      [...tree.entries.keys()].map((name) => Buffer.from(name, 'latin1').toString()),
      names,
    );
  });

  const badMetas: readonly (readonly [string, () => OstreeChecksum])[] = [
    ['the mode of a file', () => rawMeta(0, 0, 0o100755, [])],
    ['bits outside of the mode', () => rawMeta(0, 0, 0o240755, [])],
    [
      'xattrs out of order',
      () =>
        rawMeta(0, 0, 0o040755, [
          ['user.b\0', 'x'],
          ['user.a\0', 'x'],
        ]),
    ],
    [
      'an xattr twice',
      () =>
        rawMeta(0, 0, 0o040755, [
          ['user.a\0', 'x'],
          ['user.a\0', 'y'],
        ]),
    ],
    ['an xattr without a name', () => rawMeta(0, 0, 0o040755, [['\0', 'x']])],
    ['an xattr whose name lacks its NUL', () => rawMeta(0, 0, 0o040755, [['user.a', 'x']])],
    ['no bytes', () => repository.raw('dirmeta', new Uint8Array(0))],
  ];
  const rawMeta = (
    uid: number,
    gid: number,
    mode: number,
    xattrs: readonly (readonly [string, string])[],
  ): OstreeChecksum => {
    const pairs = xattrs.map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const);
    return repository.raw('dirmeta', encode('(uuua(ayay))', [uid, gid, mode, pairs], { byteOrder: 'big' }));
  };
  for (const [name, make] of badMetas) {
    test(`refuses a dirmeta with ${name}`, async () => {
      const rootMeta = make();
      const commit = repository.commitOf(repository.empty, { rootMeta });
      await refuses(repository.path, { commit, code: 'FORMAT', names: rootMeta });
      const parent = repository.dirTree([], [['below', repository.empty, rootMeta]]);
      await refuses(repository.path, { commit: repository.commitOf(parent), code: 'FORMAT', names: rootMeta });
    });
  }

  test('refuses a tree of 2^30 directories', async () => {
    let tree = repository.empty;
    for (let level = 0; level < 30; level++) {
      tree = repository.dirTree(
        [],
        [
          ['a', tree, repository.meta],
          ['b', tree, repository.meta],
        ],
      );
    }
    const commit = repository.commitOf(tree);
    await refuses(repository.path, {
      commit,
      code: 'LIMIT',
      names: commit,
      says: /more than \d+ inodes, of \d+ distinct entries/,
    });
  });

  test('refuses a tree of 2^24 files that share everything', async () => {
    const one = file();
    const many = repository.dirTree(Array.from({ length: 4096 }, (_, i) => [`f${i + 10_000}`, one] as const));
    const tree = repository.dirTree(
      [],
      Array.from({ length: 4096 }, (_, i) => [`d${i + 10_000}`, many, repository.meta] as const),
    );
    const commit = repository.commitOf(tree);
    await refuses(repository.path, { commit, code: 'LIMIT', names: commit });
  });

  /** Directories within each other. */
  const chain = (levels: number): OstreeChecksum => {
    let tree = repository.empty;
    for (let level = 0; level < levels; level++) tree = repository.dirTree([], [['d', tree, repository.meta]]);
    return repository.commitOf(tree);
  };

  test('takes a chain of 2048 directories', async () => {
    const commit = chain(2048);
    const path = freshRepository();
    for (const erofsVersion of [0, 1, 2] as const) await pull(path, repository.path, commit, { erofsVersion });
    using opened = await Repository.open(path);
    await assertClean(opened);
    let node: Inode | undefined = await storedTree(readCommit(opened, commit));
    let levels = -1;
    for (; node?.kind === 'directory'; node = node.entries.values().next().value) levels++;
    assert.equal(levels, 2048);
  });

  test('refuses a chain of 2049 directories, and of 5000', async () => {
    for (const levels of [2049, 5000]) {
      const commit = chain(levels);
      await refuses(repository.path, { commit, code: 'LIMIT', names: commit, says: /more than 2048 levels/ });
    }
  });

  test('refuses a file used as a dirtree, and one used as a dirmeta', async () => {
    const used = file();
    for (const [tree, meta] of [
      [used, repository.meta],
      [repository.empty, used],
    ] as const) {
      const parent = repository.dirTree([], [['d', tree, meta]]);
      await refuses(repository.path, { commit: repository.commitOf(parent), code: 'NOT_FOUND', names: used });
    }
  });

  test('refuses a dirtree used as a file', async () => {
    const commit = repository.commitFiles(['file', repository.empty]);
    await refuses(repository.path, { commit, code: 'NOT_FOUND', names: repository.empty });
  });

  test('refuses one checksum as objects of two types', async () => {
    const { meta, empty } = repository;
    for (const [tree, of] of [
      [empty, empty],
      [meta, meta],
    ] as const) {
      const parent = repository.dirTree([], [['d', tree, of]]);
      // It cannot be both; which of them is met first, and is missing or wrong, is not said.
      await refuses(repository.path, {
        commit: repository.commitOf(parent),
        code: ['FORMAT', 'NOT_FOUND'],
        names: tree,
      });
    }
    const tree = repository.dirTree([['a', empty]], [['d', empty, meta]]);
    await refuses(repository.path, { commit: repository.commitOf(tree), code: ['FORMAT', 'NOT_FOUND'], names: empty });
  });

  test('refuses commits that are none', async () => {
    for (const bytes of [
      new Uint8Array(0),
      Buffer.alloc(100, 0xff),
      encode('s', 'text'),
      checksumBytes(repository.empty),
    ]) {
      const commit = repository.raw('commit', bytes);
      await refuses(repository.path, { commit, code: 'FORMAT', names: commit });
    }
    const bad = encode('(a{sv}aya(say)sstayay)', [
      [],
      new Uint8Array(0),
      [],
      '',
      '',
      0n,
      new Uint8Array(31),
      checksumBytes(repository.meta),
    ]);
    const commit = repository.raw('commit', bad);
    await refuses(repository.path, { commit, code: 'FORMAT', names: commit });
  });

  test('says of a deleted commit that it was deleted', async () => {
    const commit = 'ee'.repeat(32) as OstreeChecksum;
    repository.put('tombstone-commit', commit, encode('a{sv}', []));
    await refuses(repository.path, { commit, code: 'NOT_FOUND', names: commit, says: /deleted upstream/ });
  });

  test('refuses a partial commit', async () => {
    const commit = repository.commitFiles(['file', file()]);
    const state = repository.write(`state/${commit}.commitpartial`, '');
    await refuses(repository.path, { commit, code: 'PARTIAL', names: commit });
    rmSync(state);
    await pull(freshRepository(), repository.path, commit);
  });
});
