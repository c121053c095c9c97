import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError } from '../../bytes/errors.ts';
import { Variant } from '../../gvariant/src/value.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { decodeArchiveHeader, isSymlinkMode } from '../../ostree/file-header.ts';
import { loosePath } from '../../ostree/object-type.ts';
import { decodeSizes } from '../../ostree/sizes.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { rejects } from './codec-checks.ts';

const repository = join(import.meta.dirname, '../../fixtures/sized-repo');
const objectPath = (type: 'commit' | 'dirtree' | 'dirmeta' | 'file', checksum: OstreeChecksum): string =>
  join(repository, 'objects', loosePath(type, checksum, true));
const commit = readFileSync(join(repository, 'refs/heads/sized'), 'latin1').trim() as OstreeChecksum;
const { metadata } = decodeCommit(readFileSync(objectPath('commit', commit)), commit);

const decode = (...entries: readonly Uint8Array[]): ReturnType<typeof decodeSizes> =>
  decodeSizes([['ostree.sizes', new Variant('aay', entries)]]);

test('decodeSizes() gives the sizes of all objects that ostree stored', () => {
  const sizes = [...decodeSizes(metadata)!];
  assert.equal(sizes.length, 10);
  for (const [checksum, { type, archived, unpacked }] of sizes) {
    assert(type === 'file' || type === 'dirtree' || type === 'dirmeta');
    const path = objectPath(type, checksum);
    assert.equal(archived, statSync(path).size, path);
    if (type !== 'file') {
      assert.equal(unpacked, archived);
      continue;
    }
    const { header, size } = decodeArchiveHeader(readFileSync(path));
    assert.equal(unpacked, isSymlinkMode(header.mode) ? header.symlinkTarget.length : size, path);
  }
});

test('decodeSizes() gives nothing where there are none, or of another type', () => {
  assert.equal(decodeSizes([]), undefined);
  assert.equal(decodeSizes([['ostree.sizes', new Variant('s', 'none')]]), undefined);
});

/** An entry: a checksum that begins with this byte, then more. */
const entry = (first: number, ...rest: readonly number[]): Uint8Array =>
  Uint8Array.from([first, ...Array.from({ length: 31 }, () => 0), ...rest]);

test('decodeSizes() takes entries without a type for files', () => {
  const sizes = decode(entry(1, 5, 0x80, 0x01), entry(2, 6, 7, 2));
  assert.deepEqual(
    [...sizes!.values()],
    [
      { type: 'file', archived: 5, unpacked: 128 },
      { type: 'dirtree', archived: 6, unpacked: 7 },
    ],
  );
});

rejects('decodeSizes', (bytes) => decode(bytes), [
  ['an empty entry', new Uint8Array(0), '[0]', /only 0 bytes/],
  ['an entry without sizes', entry(1), '[0].archived', /EOF/],
  ['an entry with one size', entry(1, 5), '[0].unpacked', /EOF/],
  ['a size that does not end', entry(1, ...Array.from({ length: 11 }, () => 0x80)), '[0].archived', /EOF/],
  ['a size of 2^63', entry(1, ...Array.from({ length: 9 }, () => 0x80), 1, 0, 1), '[0].archived', /2\^53/],
  ['an unknown type', entry(1, 5, 5, 0), '[0].type', /unknown number 0/],
  ['bytes after the type', entry(1, 5, 5, 1, 1), '[0]', /1 bytes too many/],
]);

test('decodeSizes() rejects entries that are not in order, and checksums that come twice', () => {
  const [one, two] = [entry(1, 5, 5, 1), entry(2, 5, 5, 1)];
  assert.throws(() => decode(two, one), /not ascending/);
  assert.throws(() => decode(one, one), /not ascending/);
});

test('decodeSizes() gives safe numbers or a CfsError for any entries', () => {
  const bytes = fc.uint8Array({ maxLength: 50 });
  const likely = fc.tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 12 }));
  const one = fc.oneof(
    bytes,
    likely.map((parts) => Buffer.concat(parts)),
  );
  fc.assert(
    fc.property(fc.array(one, { maxLength: 4 }), (entries) => {
      try {
        for (const { archived, unpacked } of decode(...entries)!.values()) {
          assert(Number.isSafeInteger(archived) && Number.isSafeInteger(unpacked));
        }
      } catch (error) {
        assert(error instanceof CfsError, String(error));
      }
    }),
    { numRuns: fuzzRuns },
  );
});
