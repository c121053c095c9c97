import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { encodeArchiveHeader, encodeHashedHeader } from '../../ostree/file-header.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { inlineLimit } from '../../src/commit/content.ts';
import { FileIngest, type FileStart, type IngestedFile } from '../../src/pull/file-ingest.ts';
import { ObjectWriter } from '../../src/repository/object-writer.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { objectPath, type HashAlgorithm } from '../../src/verity/object-id.ts';
import { freshRepository } from '../repository/support.ts';
import { objectNames } from './support.ts';

const PIECE = 256 * 1024;
const fileHeader = { uid: 1, gid: 2, mode: 0o100644, symlinkTarget: '', xattrs: [] };
const hashedHeader = encodeHashedHeader(fileHeader);

function checksumOfFile(content: Uint8Array): OstreeChecksum {
  return createHash('sha256').update(hashedHeader).update(content).digest('hex') as OstreeChecksum;
}

class Bench implements Disposable {
  readonly path: string;
  readonly writer: ObjectWriter;
  readonly ingest: FileIngest;
  bytes = 0;

  constructor(algorithm: HashAlgorithm = 'sha256') {
    this.path = freshRepository(algorithm);
    const objects = join(this.path, 'objects');
    this.writer = new ObjectWriter({ objects, algorithm, secure: false, suspect: false, fsync: false });
    this.ingest = new FileIngest(this.writer, algorithm, (bytes) => {
      this.bytes += bytes;
    });
  }

  start(content: Uint8Array, facts: Partial<FileStart> = {}): void {
    const checksum = checksumOfFile(content);
    this.ingest.start({ checksum, hashedHeader, size: content.length, deflated: false, ...facts });
  }

  /** Starts a file and pushes `stored`, in pieces of `cut` bytes, as long as it is wanted. */
  run(content: Uint8Array, stored: Uint8Array, cut: number, facts: Partial<FileStart> = {}): IngestedFile {
    this.start(content, facts);
    for (let offset = 0; offset < stored.length; offset += cut) {
      if (!this.ingest.push(stored.subarray(offset, offset + cut))) break;
    }
    return this.ingest.finish();
  }

  [Symbol.dispose](): void {
    this.writer.close();
  }
}

/** Descriptors that this process has open. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Something that deflates, but not to nothing. */
function contentOf(size: number): Buffer {
  const content = Buffer.alloc(size, 'The quick brown fox. ');
  randomBytes(Math.min(size, 300)).copy(content);
  return content;
}

const sizes = [
  0,
  1,
  63,
  64,
  65,
  127,
  128,
  129,
  4095,
  4096,
  4097,
  PIECE - 1,
  PIECE,
  PIECE + 1,
  2 * PIECE,
  2 * PIECE + 1,
  2 ** 20,
];

for (const algorithm of ['sha256', 'sha512'] as const) {
  describe(`FileIngest for ${algorithm}`, () => {
    for (const size of sizes) {
      test(`stores ${size} bytes as they are, and deflated, cut in any way`, () => {
        using bench = new Bench(algorithm);
        const content = contentOf(size);
        const object = size > inlineLimit(algorithm) ? verityDigest(algorithm, content) : undefined;
        const header = encodeArchiveHeader(fileHeader, size);
        const cuts = size <= 5000 ? [1, 64, 65, 4096] : [4096, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE];
        let bytes = 0;
        for (const deflated of [false, true]) {
          for (const level of deflated ? [1, 0] : [0]) {
            const stored = deflated ? deflateRawSync(content, { level }) : content;
            for (const cut of cuts) {
              const first = bytes === 0 && bench.bytes === 0 && objectNames(bench.path).length === 0;
              const result = bench.run(content, stored, cut, { deflated });
              bytes += size;
              assert.equal(bench.bytes, bytes);
              assert.equal(result.object, object);
              const data = object === undefined ? Buffer.concat([header, content]) : header;
              assert.deepEqual(Buffer.from(result.data), Buffer.from(data));
              assert.equal(result.how, object === undefined ? 'inline' : first ? 'written' : 'present');
            }
          }
        }
        if (object === undefined) assert.deepEqual(objectNames(bench.path), []);
        else assert(readFileSync(join(bench.path, 'objects', objectPath(object))).equals(content));
      });
    }
  });
}

test('push() takes no more after the deflate stream, and ignores what follows it', () => {
  using bench = new Bench();
  const content = contentOf(1000);
  const stored = Buffer.concat([deflateRawSync(content), randomBytes(5000)]);
  for (const cut of [1, 100, 6000]) {
    assert.equal(bench.run(content, stored, cut, { deflated: true }).object, verityDigest('sha256', content));
  }
});

const short = contentOf(1000);
const long = contentOf(2 * PIECE + 5);
const wrong: readonly (readonly [string, Uint8Array, Uint8Array, Partial<FileStart>, string])[] = [
  ['content shorter than declared', short, short, { size: 1001 }, 'FORMAT'],
  ['content longer than declared', short, short, { size: 999 }, 'FORMAT'],
  ['content where none is declared', short, short, { size: 0 }, 'FORMAT'],
  ['no content', short, short.subarray(0, 0), {}, 'FORMAT'],
  ['other content', short, contentOf(1000), {}, 'CHECKSUM'],
  ['other content of several pieces', long, contentOf(long.length), {}, 'CHECKSUM'],
  ['several pieces, shorter than declared', long, long, { size: long.length + 1 }, 'FORMAT'],
  ['several pieces, longer than declared', long, long, { size: long.length - 1 }, 'FORMAT'],
  ['several pieces, inline by their declared size', long, long, { size: 10 }, 'FORMAT'],
  ['another header', short, short, { hashedHeader: encodeHashedHeader({ ...fileHeader, uid: 5 }) }, 'CHECKSUM'],
  ['a deflate stream that is cut', short, deflateRawSync(short).subarray(0, -1), { deflated: true }, 'FORMAT'],
  ['an empty deflate stream', short, new Uint8Array(0), { deflated: true }, 'FORMAT'],
  ['no deflate stream', short, Buffer.from([0xff, 0xff, 0xff]), { deflated: true }, 'FORMAT'],
  [
    'a zlib stream',
    short,
    Buffer.concat([Buffer.from([0x78, 0x9c]), deflateRawSync(short)]),
    { deflated: true },
    'FORMAT',
  ],
  [
    'a deflate stream that says more than declared',
    short,
    deflateRawSync(short),
    { deflated: true, size: 999 },
    'FORMAT',
  ],
  [
    'a deflate stream that says less than declared',
    short,
    deflateRawSync(short),
    { deflated: true, size: 1001 },
    'FORMAT',
  ],
];

describe('FileIngest refuses', () => {
  for (const [name, content, stored, facts, code] of wrong) {
    test(`${name}, leaves nothing behind, and takes the next file`, () => {
      using bench = new Bench();
      const before = openDescriptors();
      for (const cut of [stored.length < 5000 ? 1 : 4096, PIECE, stored.length + 1]) {
        assert.throws(
          () => bench.run(content, stored, cut, facts),
          (error: Error & { code?: string }) => {
            assert.equal(error.code, code, error.message);
            assert(error.message.includes(checksumOfFile(content)), error.message);
            return true;
          },
        );
        bench.ingest.abort();
      }
      assert.deepEqual(objectNames(bench.path), []);
      assert.equal(openDescriptors(), before);
      assert.equal(bench.run(content, content, 4096).how, 'written');
    });
  }
});

test('push() throws as soon as a bomb passes its declared size', () => {
  using bench = new Bench();
  const bomb = deflateRawSync(Buffer.alloc(64 << 20));
  bench.start(short, { deflated: true, size: 10 });
  assert.throws(() => bench.ingest.push(bomb), { code: 'FORMAT' });
  bench.ingest.abort();
  assert.deepEqual(objectNames(bench.path), []);
});

test('finish() of a clone writes nothing, and gives it its name', () => {
  using bench = new Bench();
  for (const content of [contentOf(1000), contentOf(3 * PIECE)]) {
    for (const how of ['reflinked', 'present']) {
      const before = openDescriptors();
      const clone = bench.writer.begin();
      writeSync(clone, content);
      const result = bench.run(content, content, PIECE, { clone });
      assert.equal(result.how, how);
      assert(readFileSync(join(bench.path, 'objects', objectPath(result.object!))).equals(content));
      assert.equal(openDescriptors(), before);
    }
  }
});

test('abort() drops a clone, and one of other content never gets a name', () => {
  using bench = new Bench();
  const before = openDescriptors();
  const clone = bench.writer.begin();
  writeSync(clone, short);
  assert.throws(() => bench.run(long, short, 100, { clone }), { code: 'FORMAT' });
  bench.ingest.abort();
  bench.ingest.abort();
  assert.equal(openDescriptors(), before);
  assert.deepEqual(objectNames(bench.path), []);
});

test('push() and finish() without start() throw', () => {
  using bench = new Bench();
  assert.throws(() => bench.ingest.push(short), /no file was started/);
  assert.throws(() => bench.ingest.finish(), /no file was started/);
});
