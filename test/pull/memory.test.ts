/** Memory does not grow with files, nor with what a hostile file claims. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, createReadStream, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { before, describe, test } from 'node:test';
import { createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeArchiveHeader, encodeHashedHeader } from '../../ostree/file-header.ts';
import { Repository } from '../../src/repository/repository.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, visible } from './support.ts';

interface Outcome {
  readonly outcome: { readonly code?: string; readonly message?: string; readonly result?: { readonly image: string } };
  /** KiB. */
  readonly peak: number;
}

function pullInChild(path: string, from: string, name: string): Outcome {
  const child = join(import.meta.dirname, 'pull-child.ts');
  const { stdout, stderr, status } = spawnSync(process.execPath, [child, path, from, name], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Outcome;
}

/** What a pull of next to nothing needs. */
let least: number;
before(() => {
  using source = new HandmadeCommits();
  const { outcome, peak } = pullInChild(
    freshRepository(),
    source.path,
    source.commitFiles(['x', source.file(Buffer.alloc(100))]),
  );
  assert.notEqual(outcome.result, undefined, outcome.message);
  least = peak;
});

const header = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };

describe('memory stays flat', () => {
  test('for a file of 300 MiB', async () => {
    using source = new HandmadeCommits();
    const size = 300 << 20;
    const plain = freshPath();
    const piece = Buffer.alloc(1 << 20, 'neither sparse nor all alike: ');
    const fd = openSync(plain, 'w');
    for (let i = 0; i < size / piece.length; i++) {
      piece.writeUInt32LE(i, i);
      writeSync(fd, piece);
    }
    closeSync(fd);
    const hash = createHash('sha256').update(encodeHashedHeader(header));
    for await (const chunk of createReadStream(plain)) hash.update(chunk as Buffer);
    const checksum = hash.digest('hex') as OstreeChecksum;
    const parts: Buffer[] = [encodeArchiveHeader(header, size) as Buffer];
    await pipeline(createReadStream(plain), createDeflateRaw({ level: 1 }), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) parts.push(chunk);
    });
    truncateSync(plain, 0);
    source.put('file', checksum, Buffer.concat(parts));
    const path = freshRepository();
    const { outcome, peak } = pullInChild(path, source.path, source.commitFiles(['large', checksum]));
    assert.notEqual(outcome.result, undefined, outcome.message);
    assert(peak - least < 64 * 1024, `${peak - least} KiB more than for a small file`);
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  let bomb: Buffer;
  before(() => {
    // Deflate streams can be put together of blocks: the same mebibyte of zeros again and again, each block ending on a byte.
    const first = deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: 2 });
    const last = deflateRawSync(Buffer.alloc(0));
    bomb = Buffer.concat([...Array.from({ length: 1024 }, () => first), last]);
  });

  for (const size of [10, 100_000, 10 << 20, 2 ** 40]) {
    test(`for a gibibyte of zeros that claims to be ${size} bytes`, async () => {
      using source = new HandmadeCommits();
      const file = source.file(Buffer.alloc(100, `${size}`), {}, { size, stored: bomb });
      const path = freshRepository();
      using repository = await Repository.open(path);
      const seen = visible(repository);
      const start = performance.now();
      const { outcome, peak } = pullInChild(path, source.path, source.commitFiles(['bomb', file]));
      assert.equal(outcome.code, 'FORMAT', outcome.message);
      assert(outcome.message!.includes(file), outcome.message);
      assert(peak - least < 64 * 1024, `${peak - least} KiB more than for a small file`);
      if (size < 2 ** 40) assert(performance.now() - start < 2000, `${performance.now() - start} ms`);
      assert.deepEqual(visible(repository), seen);
      await assertClean(repository);
    });
  }

  test('for headers that claim to be enormous', () => {
    using source = new HandmadeCommits();
    const file = source.file(Buffer.alloc(5000));
    const commit = source.commitFiles(['file', file]);
    const stored = source.pathOf('file', file);
    const bytes = readFileSync(stored);
    for (const length of [0xffff_ffff, 0x0800_0000]) {
      bytes.writeUInt32BE(length);
      writeFileSync(stored, bytes);
      const { outcome, peak } = pullInChild(freshRepository(), source.path, commit);
      assert.equal(outcome.code, 'FORMAT');
      assert(peak - least < 32 * 1024, `${peak - least} KiB more`);
    }
  });

  test('for a tree of 2^30 directories', () => {
    using source = new HandmadeCommits();
    let tree = source.empty;
    for (let level = 0; level < 30; level++) {
      tree = source.dirTree(
        [],
        [
          ['a', tree, source.meta],
          ['b', tree, source.meta],
        ],
      );
    }
    const { outcome, peak } = pullInChild(freshRepository(), source.path, source.commitOf(tree));
    assert.equal(outcome.code, 'LIMIT', outcome.message);
    assert(peak - least < 32 * 1024, `${peak - least} KiB more`);
  });
});
