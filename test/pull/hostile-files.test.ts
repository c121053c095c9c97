/** Pulls of files that lie about themselves. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { checksumOf } from '../../ostree/checksum.ts';
import { encodeArchiveHeader } from '../../ostree/file-header.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { refuses } from './refuses.ts';
import { pull } from './support.ts';
const content = Buffer.alloc(5000, 'some content. ');

describe('pullCommit() of false files', () => {
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
