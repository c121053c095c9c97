/** Both decoders of XZ streams against the `xz` program. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { XzError, type OpenDecompressor } from '../../../ostree/delta/decompressor.ts';
import { XZ_MEMORY_LIMIT } from '../../../ostree/delta/format.ts';
import { openXz } from '../../../ostree/delta/xz/stream.ts';
import { openLiblzma } from '../../../src/pull/xz.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { needs } from '../../needs.ts';

const skip = needs('xz');

function xz(input: Uint8Array, ...args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync('xz', ['-c', ...args], { input, maxBuffer: 2 ** 28 });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

const kept = new Map<string, Buffer>();

/** The same for `mixed`, once for each set of arguments. */
function mixedXz(...args: readonly string[]): Buffer {
  const key = args.join(' ');
  let packed = kept.get(key);
  if (packed === undefined) kept.set(key, (packed = xz(mixed, ...args)));
  return packed;
}

async function unpack(open: OpenDecompressor, bytes: Uint8Array, step = 10_000): Promise<Buffer> {
  using decompressor = open(XZ_MEMORY_LIMIT);
  const pieces: Buffer[] = [];
  const piece = Buffer.allocUnsafeSlow(300_000);
  const unpacked = {
    room: () => piece,
    took: (length: number) => void pieces.push(Buffer.from(piece.subarray(0, length))),
  };
  for (let at = 0; at < bytes.length; at += step) await decompressor.push(bytes.subarray(at, at + step), unpacked);
  decompressor.end();
  return Buffer.concat(pieces);
}

/** Text that repeats, noise, and runs: what matches, literals and plain chunks are made of. */
const mixed = Buffer.concat([
  Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${i % 97} of ${i}\n`).join('')),
  randomBytes(100_000),
  Buffer.alloc(2_200_000, 'ab'),
  randomBytes(5000),
]);

const decoders: readonly (readonly [string, OpenDecompressor | undefined])[] = [
  ['our own decoder', openXz],
  ['liblzma', openLiblzma()],
];

describe('XZ streams', { skip }, () => {
  for (const [name, open] of decoders) {
    if (open === undefined) continue;
    for (const args of [
      ['-0'],
      ['-6'],
      ['-8'],
      ['-9e'],
      ['--check=crc32'],
      ['--check=sha256'],
      ['--check=none'],
      ['-T2', '--block-size=100000'],
      ['--lzma2=lc=1,lp=3,pb=0'],
    ]) {
      test(`${name} reads what xz ${args.join(' ')} wrote`, async () => {
        assert((await unpack(open, mixedXz(...args))).equals(mixed));
        for (const data of [Buffer.alloc(0), Buffer.from('x'), randomBytes(70_000)]) {
          const packed = xz(data, ...args);
          assert((await unpack(open, packed)).equals(data));
          if (packed.length < 10_000) assert((await unpack(open, packed, 1)).equals(data));
        }
      });
    }

    const refused: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
      ['what is no stream', () => randomBytes(100), /File format not recognized/],
      ['a stream that is cut short', () => mixedXz().subarray(0, -20), /cut short/],
      ['nothing', () => new Uint8Array(0), /cut short/],
      ['what follows a stream', () => Buffer.concat([mixedXz(), Buffer.from('more')]), /behind the end/],
      ['a second stream', () => Buffer.concat([mixedXz(), mixedXz()]), /behind the end/],
      ['a dictionary that is too large', () => mixedXz('--lzma2=preset=0,dict=256MiB'), /Exceeded memory limit/],
      ['a damaged check', () => damage(mixedXz(), -33), /Data is corrupt/],
      ['a damaged index', () => damage(mixedXz(), -18), /Data is corrupt/],
      ['a damaged footer', () => damage(mixedXz(), -6), /Data is corrupt/],
    ];
    for (const [what, bytes, problem] of refused) {
      test(`${name} refuses ${what}`, async () => {
        await assert.rejects(
          () => unpack(open, bytes()),
          (error: Error) => error instanceof XzError && problem.test(error.message),
        );
      });
    }
  }

  test('liblzma can be disposed of while it works', { skip: openLiblzma() === undefined }, async () => {
    const decompressor = openLiblzma()!(XZ_MEMORY_LIMIT);
    const room = Buffer.allocUnsafeSlow(300_000);
    const pushed = decompressor.push(mixedXz(), { room: () => room, took: () => assert.fail() });
    decompressor[Symbol.dispose]();
    await assert.rejects(async () => pushed, XzError);
  });

  let packed: Buffer[];
  before(() => {
    packed = [xz(mixed.subarray(0, 3000)), xz(randomBytes(100)), xz(Buffer.alloc(5000), '-T2', '--block-size=1000')];
  });
  test('our own decoder gives the same as liblzma, or an XzError, for damaged streams', async () => {
    const reference = openLiblzma();
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, at, flip) => {
        const bytes = Buffer.from(packed[which]!);
        bytes[at % bytes.length]! ^= flip;
        const mine = await outcome(openXz, bytes);
        const theirs = reference && (await outcome(reference, bytes));
        if (theirs !== undefined) assert.equal(typeof mine === 'string', typeof theirs === 'string');
      }),
      { numRuns: fuzzRuns },
    );
  });
});

function damage(packed: Buffer, at: number): Buffer {
  const bytes = Buffer.from(packed);
  bytes[bytes.length + at]! ^= 0x10;
  return bytes;
}

async function outcome(open: OpenDecompressor, bytes: Uint8Array): Promise<Buffer | string> {
  try {
    return await unpack(open, bytes);
  } catch (error) {
    if (error instanceof XzError) return error.message;
    throw error;
  }
}
