import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { align } from '../../../../ostree/delta/make/align.ts';
import { encodePatch } from '../../../../ostree/delta/make/bsdiff.ts';
import { chunkCopies } from '../../../../ostree/delta/make/chunk-match.ts';
import { difference } from '../../../../ostree/delta/make/difference.ts';
import { fuzzRuns } from '../../../fuzz-runs.ts';
import { apply, applyCopies, applyPatch } from './apply-patch.ts';
import { filePair, noise, type FilePair } from './file-pair.ts';

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
const repeated = (pattern: string, length: number): Uint8Array => new Uint8Array(Buffer.alloc(length, pattern));

/** Every second byte of a kibibyte in sixteen is another one: as in a program whose addresses moved. */
function withChanges(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => (i % 16384 < 1024 && i % 8 === 0 ? byte + 1 : byte));
}

const MIB = 1024 * 1024;
const random = noise(2 * MIB);
const pathological: Readonly<Record<string, FilePair>> = {
  'zeros and more zeros': { source: new Uint8Array(MIB), target: new Uint8Array(4 * MIB) },
  'zeros and fewer zeros': { source: new Uint8Array(4 * MIB), target: new Uint8Array(MIB - 1) },
  'one period against another': { source: repeated('abcabcd', 2 * MIB), target: repeated('abcabd', 2 * MIB) },
  'a long period with a change in each': {
    source: repeated('x'.repeat(4000) + 'y', 2 * MIB),
    target: repeated(`${'x'.repeat(2000)}z${'x'.repeat(1999)}y`, 2 * MIB),
  },
  'a page again and again, with bytes changed here and there': {
    source: new Uint8Array(Buffer.concat(Array.from({ length: 512 }, () => noise(4096)))),
    target: withChanges(new Uint8Array(Buffer.concat(Array.from({ length: 512 }, () => noise(4096))))),
  },
  'random bytes that have nothing in common': { source: random, target: noise(2 * MIB, 99) },
  'a new start': { source: random, target: new Uint8Array(Buffer.concat([noise(50_000, 5), random])) },
  'both halves swapped': {
    source: random,
    target: new Uint8Array(Buffer.concat([random.subarray(MIB), random.subarray(0, MIB)])),
  },
  'scattered changes': { source: random, target: withChanges(random) },
};

describe('align()', () => {
  for (const [name, { source, target }] of Object.entries(pathological)) {
    test(`ends soon, and the patch is right: ${name}`, () => {
      const begun = performance.now();
      const alignments = align(source, target);
      // A second or less on an idle machine.
      assert(performance.now() - begun < 20_000);
      const patch = encodePatch(source, target, alignments);
      assert(Buffer.from(applyPatch(source, patch, target.length)).equals(target));
    });
  }

  test('gives alignments inside both files, in order', () => {
    fc.assert(
      fc.property(filePair, ({ source, target }) => {
        let end = 0;
        for (const { start, length, source: from } of align(source, target)) {
          assert(start >= end && length > 0 && from >= 0);
          end = start + length;
          assert(end <= target.length && from + length <= source.length);
        }
      }),
      { numRuns: fuzzRuns },
    );
  });

  test('does not follow a diagonal past the end of the old file', () => {
    // On the old diagonal all but the last bytes match, which the old file no longer has; elsewhere it has them all.
    const [start, end, tail] = [noise(300, 22), noise(11, 21), text('12345678')];
    const source = new Uint8Array(Buffer.concat([end, tail, start, text('?'), end]));
    const target = new Uint8Array(Buffer.concat([start, text('!'), end, tail]));
    const alignments = align(source, target);
    for (const { length, source: from } of alignments) assert(from + length <= source.length);
    assert.deepEqual(applyPatch(source, encodePatch(source, target, alignments), target.length), target);
  });

  test('finds what moved, to the byte', () => {
    const source = noise(10_000);
    const target = new Uint8Array(Buffer.concat([source.subarray(6000), noise(100, 7), source.subarray(0, 6000)]));
    assert.deepEqual(align(source, target), [
      { start: 0, length: 4000, source: 6000 },
      { start: 4100, length: 6000, source: 0 },
    ]);
  });
});

describe('encodePatch()', () => {
  test('gives a patch that makes the new file of the old one', () => {
    fc.assert(
      fc.property(filePair, ({ source, target }) => {
        const patch = encodePatch(source, target, align(source, target));
        assert.deepEqual(applyPatch(source, patch, target.length), target);
      }),
      { numRuns: fuzzRuns },
    );
  });

  test('writes integers little-endian, with the sign in the last bit', () => {
    const [source, target] = [text('abcdefgh'), text('EFGHxabcd')];
    const patch = encodePatch(source, target, [
      { start: 0, length: 4, source: 4 },
      { start: 5, length: 4, source: 0 },
    ]);
    const head = (...values: readonly bigint[]): string =>
      Buffer.from(BigUint64Array.from(values).buffer).toString('hex');
    const minus = 2n ** 63n;
    const capitals = 'e0'.repeat(4);
    const records = [head(0n, 0n, 4n), '', head(4n, 1n, minus | 8n), `${capitals}78`, head(4n, 0n, 0n), '00'.repeat(4)];
    // The first alignment begins at the start, but not of the old file.
    assert.equal(Buffer.from(patch).toString('hex'), records.join(''));
    assert.deepEqual(applyPatch(source, patch, target.length), target);
  });

  test('gives nothing for an empty file, and one record for one that has nothing in common', () => {
    assert.equal(encodePatch(text('abc'), text(''), []).length, 0);
    const patch = encodePatch(text('abc'), text('xyz'), []);
    assert.equal(patch.length, 24 + 3);
    assert.deepEqual(applyPatch(text('abc'), patch, 3), text('xyz'));
  });
});

describe('difference()', () => {
  test('gives what makes the new file, with patches and without', () => {
    fc.assert(
      fc.property(filePair, fc.boolean(), ({ source, target }, patch) => {
        const found = difference(source, target, { patch });
        if (found === undefined) return;
        assert(patch || found.kind === 'copies');
        assert.deepEqual(apply(source, target, found), target);
      }),
      { numRuns: fuzzRuns },
    );
  });

  test('takes copies where large parts are the same, and a patch where bytes differ everywhere', () => {
    assert.equal(difference(random, Uint8Array.from([...random.subarray(0, 99_999), 1, 2, 3]))?.kind, 'copies');
    const scattered = random.subarray(0, 100_000).map((byte, i) => (i % 40 === 0 ? byte + 1 : byte));
    assert.equal(difference(random, scattered)?.kind, 'patch');
    assert.equal(difference(random, scattered, { patch: false })?.kind, 'copies');
  });

  test('gives up where the new file as a whole is cheaper', () => {
    assert.equal(difference(noise(5000), noise(5000, 3)), undefined);
    assert.equal(difference(text('a short line\n'), text('a short line!\n')), undefined);
  });
});

describe('chunkCopies()', () => {
  /** In chunks of any length. */
  function* pieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
  }

  test('finds nearly all of what stayed, whatever was inserted', () => {
    const target = new Uint8Array(
      Buffer.concat([
        random.subarray(0, 700_000),
        noise(1234, 4),
        random.subarray(700_100),
        random.subarray(0, 300_000),
      ]),
    );
    const copies = chunkCopies(pieces(random, 65_536), pieces(target, 1000));
    assert(Buffer.from(applyCopies(random, target, copies)).equals(target));
    const copied = copies.reduce((sum, { length }) => sum + length, 0);
    assert(copied > 0.9 * target.length, `${copied} of ${target.length}`);
    assert(copies.length <= 6);
  });

  test('gives copies that are right', () => {
    fc.assert(
      fc.property(filePair, fc.integer({ min: 1, max: 5000 }), ({ source, target }, length) => {
        const copies = chunkCopies(pieces(source, length), pieces(target, length));
        assert.deepEqual(applyCopies(source, target, copies), target);
      }),
      { numRuns: fuzzRuns },
    );
  });
});
