/** Pulls of commits that are damaged, false, or made to do harm. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { CfsError } from '../../bytes/errors.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { checksumBytes, checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeArchiveHeader } from '../../ostree/file-header.ts';
import { storedTree } from '../../src/commit/image.ts';
import { readCommit } from '../../src/commit/stored.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { Inode } from '../../src/tree/tree.ts';
import { needs } from '../needs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits, type Mode } from './handmade-commit.ts';
import { assertClean, expected, pull, visible } from './support.ts';

/** A repository with something in it that has to stay. */
let target: string;
before(async () => {
  target = freshRepository();
  await pull(target, goldenPath, 'golden/single');
});

interface Refusal {
  readonly commit: OstreeChecksum;
  readonly code: string | readonly string[];
  /** What the message has to name. */
  readonly names: string;
  /** In what the message has to be in the end. */
  readonly says?: RegExp;
  /** Try it with a worker too, whose error has to come over. */
  readonly workers?: boolean;
}

/** The pull must fail just so, soon, and leave nothing that can be seen. */
async function refuses(from: string, { commit, code, names, says, workers = false }: Refusal): Promise<void> {
  using repository = await Repository.open(target);
  const seen = visible(repository);
  for (const threads of workers ? [1, 2] : [1]) {
    const start = performance.now();
    await assert.rejects(pull(target, from, commit, { threads }), (error: Error) => {
      assert(error instanceof CfsError, `not a CfsError: ${error.stack}`);
      assert([code].flat().includes(error.code), `${error.code}: ${error.message}`);
      assert(error.message.includes(names), `${error.message} does not name ${names}`);
      if (says !== undefined) assert.match(error.message, says);
      return true;
    });
    const seconds = (performance.now() - start) / 1000;
    assert(seconds < 2, `${seconds} seconds`);
    assert.deepEqual(visible(repository), seen);
    assert.equal((await pull(target, goldenPath, 'golden/single')).commit, expected.commits['single']);
    await assertClean(repository);
    for (const name of readdirSync(target)) assert.doesNotMatch(name, /^\.(cfs-tmp|symlink)-/);
  }
}

const content = Buffer.alloc(5000, 'some content. ');

/** A commit with one object of each kind. */
function whole(repository: HandmadeCommits): Record<'commit' | 'dirtree' | 'dirmeta' | 'file', OstreeChecksum> {
  const file = repository.file(content);
  const dirmeta = repository.dirMeta({ uid: 0, mode: 0o040700 });
  const dirtree = repository.dirTree([['file', file]]);
  return { file, dirmeta, dirtree, commit: repository.commitOf(dirtree, { rootMeta: dirmeta }) };
}

const modes: readonly Mode[] = ['archive-z2', 'bare', 'bare-user', 'bare-user-only'];
const kinds = ['commit', 'dirtree', 'dirmeta', 'file'] as const;

for (const mode of modes) {
  const skip = mode === 'bare' ? needs('root') : false;
  describe(`pullCommit() from a ${mode} repository`, { skip }, () => {
    let repository: HandmadeCommits;
    let goodImage: string;
    before(async () => {
      repository = new HandmadeCommits(mode);
      goodImage = (await pull(freshRepository(), repository.path, whole(repository).commit)).image;
    });
    after(() => repository[Symbol.dispose]());

    for (const kind of kinds) {
      test(`refuses a ${kind} with any bit of it flipped`, async () => {
        const objects = whole(repository);
        const file = repository.pathOf(kind, objects[kind]);
        const good = readFileSync(file);
        // Of long objects the first bytes, which hold all fields, the last, and some between.
        const places = good
          .keys()
          .filter((i) => i < 40 || i >= good.length - 4 || i % 499 === 0)
          .toArray();
        for (const at of places) {
          const bad = Buffer.from(good);
          bad[at]! ^= 1 << (at % 8);
          writeFileSync(file, bad);
          const path = freshRepository();
          try {
            // Some bits of a deflate stream mean nothing.
            const { image } = await pull(path, repository.path, objects.commit);
            assert.equal(kind, 'file');
            assert.equal(image, goodImage);
          } catch (error) {
            if (!(error instanceof CfsError)) throw error;
            assert.match(error.code, /^(CHECKSUM|FORMAT|LIMIT)$/);
            assert(error.message.includes(objects[kind]), `byte ${at}: ${error.message}`);
          }
        }
        const bad = Buffer.from(good);
        bad[9]! ^= 1;
        writeFileSync(file, bad);
        await refuses(repository.path, { commit: objects.commit, code: ['CHECKSUM', 'FORMAT'], names: objects[kind] });
        writeFileSync(file, good);
      });

      test(`refuses a ${kind} that is cut`, async () => {
        const objects = whole(repository);
        const path = repository.pathOf(kind, objects[kind]);
        const good = readFileSync(path);
        for (const length of [0, 1, 7, 8, good.length >> 1, good.length - 1]) {
          truncateSync(path, Math.min(length, good.length - 1));
          await assert.rejects(pull(target, repository.path, objects.commit), (error: Error & { code?: string }) => {
            assert(error instanceof CfsError, `${length} bytes: ${error.stack}`);
            assert(error.message.includes(objects[kind]), `${length} bytes: ${error.message}`);
            return true;
          });
          writeFileSync(path, good);
        }
        truncateSync(path, good.length - 1);
        await refuses(repository.path, { commit: objects.commit, code: ['CHECKSUM', 'FORMAT'], names: objects[kind] });
        writeFileSync(path, good);
      });

      test(`refuses a ${kind} with a byte too many`, async () => {
        const objects = whole(repository);
        const path = repository.pathOf(kind, objects[kind]);
        const good = readFileSync(path);
        writeFileSync(path, Buffer.concat([good, Buffer.from([0])]));
        // Behind a deflate stream, as libostree has it, anything may follow.
        if (mode === 'archive-z2' && kind === 'file') await pull(freshRepository(), repository.path, objects.commit);
        else
          await refuses(repository.path, {
            commit: objects.commit,
            code: ['CHECKSUM', 'FORMAT'],
            names: objects[kind],
          });
        writeFileSync(path, good);
      });

      test(`refuses a ${kind} that is missing`, async () => {
        const objects = whole(repository);
        rmSync(repository.pathOf(kind, objects[kind]));
        await refuses(repository.path, {
          commit: objects.commit,
          code: 'NOT_FOUND',
          names: objects[kind],
          workers: true,
        });
      });
    }

    test('refuses objects under the names of others', async () => {
      const objects = whole(repository);
      const others = {
        file: repository.file(Buffer.alloc(5000, 'other')),
        dirmeta: repository.dirMeta({ mode: 0o040711 }),
        dirtree: repository.dirTree([['other', objects.file]]),
        commit: repository.commitOf(repository.empty, { subject: 'other' }),
      };
      for (const kind of kinds) {
        whole(repository);
        renameSync(repository.pathOf(kind, others[kind]), repository.pathOf(kind, objects[kind]));
        await refuses(repository.path, { commit: objects.commit, code: 'CHECKSUM', names: objects[kind] });
        // In place again for the next kind.
        rmSync(repository.pathOf(kind, objects[kind]));
      }
    });

    test('refuses a directory in the place of an object', async () => {
      for (const kind of kinds) {
        const objects = whole(repository);
        rmSync(repository.pathOf(kind, objects[kind]));
        repository.write(`${repository.pathOf(kind, objects[kind]).slice(repository.path.length + 1)}/x`, '');
        await refuses(repository.path, {
          commit: objects.commit,
          code: ['CORRUPT', 'FORMAT'],
          names: objects[kind].slice(2),
        });
        rmSync(repository.pathOf(kind, objects[kind]), { recursive: true });
      }
    });
  });
}

describe('pullCommit()', () => {
  let repository: HandmadeCommits;
  before(() => {
    repository = new HandmadeCommits();
  });
  after(() => repository[Symbol.dispose]());

  test('refuses deflate bombs, and keeps sizes to what is declared', async () => {
    const zeros = deflateRawSync(Buffer.alloc(64 << 20));
    for (const size of [0, 10, 100_000]) {
      const file = repository.file(Buffer.alloc(size), {}, { size, stored: zeros });
      await refuses(repository.path, {
        commit: repository.commitFiles(['bomb', file]),
        code: 'FORMAT',
        names: file,
        workers: true,
      });
    }
  });

  test('refuses content of another size than declared', async () => {
    for (const [real, declared] of [
      [10, 9],
      [10, 11],
      [5000, 4999],
      [5000, 5001],
      [5000, 10],
      [10, 5000],
      [600_000, 262_144],
      [0, 1],
      [1, 0],
      [262_144, 262_145],
      [10, 2 ** 40],
      [10, 2 ** 53 - 1],
    ] as const) {
      const bytes = Buffer.alloc(real, `${real}-${declared} `);
      const file = repository.file(bytes, {}, { size: declared });
      const commit = repository.commitFiles(['file', file]);
      await refuses(repository.path, { commit, code: 'FORMAT', names: file, says: /declared/ });
      repository.file(bytes);
      const { image } = await pull(freshRepository(), repository.path, commit);
      assert.match(image, /^[0-9a-f]{64}$/);
    }
  });

  test('refuses headers of files with lengths that cannot be', async () => {
    const file = repository.file(content);
    const commit = repository.commitFiles(['file', file]);
    const path = repository.pathOf('file', file);
    const good = readFileSync(path);
    for (const length of [0, 1, 17, 25, 27, good.length - 8, good.length - 7, 0x0800_0001, 0x7fff_ffff, 0xffff_ffff]) {
      const bad = Buffer.from(good);
      bad.writeUInt32BE(length);
      writeFileSync(path, bad);
      await refuses(repository.path, { commit, code: 'FORMAT', names: file });
    }
    for (const size of [0, 1, 7, 8, 9, 33]) {
      writeFileSync(path, good.subarray(0, size));
      await refuses(repository.path, { commit, code: 'FORMAT', names: file });
    }
  });

  test('refuses a declared size past 2^53', async () => {
    const file = repository.file(content);
    const path = repository.pathOf('file', file);
    const bad = readFileSync(path);
    bad.writeUInt32BE(0xffff_ffff, 8);
    writeFileSync(path, bad);
    await refuses(repository.path, { commit: repository.commitFiles(['file', file]), code: 'FORMAT', names: file });
  });

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
    await refuses(repository.path, { commit, code: 'LIMIT', names: commit, says: /more than 10000000 files/ });
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

  test('refuses a file of a type that OSTree does not have', async () => {
    const honest = repository.file(content);
    const path = repository.pathOf('file', honest);
    for (const mode of [0o020644, 0o060644, 0o010644, 0o140644, 0o040755, 0o644]) {
      const bytes = Buffer.from(readFileSync(path));
      bytes.writeUInt32BE(mode, 24);
      const variant = Buffer.concat([
        Buffer.from([0, 0, 0, 18, 0, 0, 0, 0]),
        bytes.subarray(16, 33),
        Buffer.from([17]),
      ]);
      const name = checksumOf(Buffer.concat([variant, content]));
      repository.put('file', name, bytes);
      await refuses(repository.path, {
        commit: repository.commitFiles(['device', name]),
        code: 'FORMAT',
        names: name,
        says: /mode/,
      });
    }
  });

  test('takes the largest symlink target, and refuses a larger one', async () => {
    const path = freshRepository();
    for (const length of [1, 59, 4094]) {
      const commit = repository.commitFiles(['link', repository.symlink('t'.repeat(length))]);
      for (const erofsVersion of [0, 1, 2] as const) await pull(path, repository.path, commit, { erofsVersion });
    }
    const honest = readFileSync(repository.pathOf('file', repository.symlink('target')));
    for (const text of ['', 't'.repeat(4096), 'a\0b']) {
      const tail = Buffer.from(`${text}\0`);
      const end = 24 + tail.length;
      const offset = end + 1 <= 255 ? Buffer.from([end]) : Buffer.from([end & 0xff, end >> 8]);
      const bytes = Buffer.concat([Buffer.alloc(8), honest.subarray(8, 32), tail, offset]);
      bytes.writeUInt32BE(bytes.length - 8);
      const name = checksumOf(Buffer.from(text));
      repository.put('file', name, bytes);
      await refuses(repository.path, { commit: repository.commitFiles(['link', name]), code: 'FORMAT', names: name });
    }
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

  test('stores nothing of a file whose header says too much, though its content is honest', async () => {
    const name = repository.file(content);
    const path = repository.pathOf('file', name);
    writeFileSync(
      path,
      Buffer.concat([
        encodeArchiveHeader({ uid: 0, gid: 0, mode: 0o104755, symlinkTarget: '', xattrs: [] }, content.length),
        deflateRawSync(content),
      ]),
    );
    assert(existsSync(path));
    await refuses(repository.path, { commit: repository.commitFiles(['file', name]), code: 'CHECKSUM', names: name });
  });
});
