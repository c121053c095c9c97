import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { compressXz } from '../../src/delta/xz.ts';
import { needs } from '../needs.ts';
import { noise } from '../ostree/delta/make/file-pair.ts';

const skip = needs('xz');

function* pieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  // Each overwrites the one before, as pieces may.
  const buffer = new Uint8Array(length);
  for (let at = 0; at < bytes.length; at += length) {
    const piece = bytes.subarray(at, at + length);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

function compress(bytes: Uint8Array, length: number): Buffer {
  // Chunks live until the next is asked for.
  return Buffer.concat(Array.from(compressXz(pieces(bytes, length), bytes.length), (chunk) => Buffer.from(chunk)));
}

function xz(input: Uint8Array, ...options: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync('xz', options, { input, maxBuffer: 2 ** 30 });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

describe('compressXz()', { skip }, () => {
  const text = Buffer.alloc(3_000_000, 'some text that compresses well; ');
  for (const [name, bytes, length] of [
    ['nothing', new Uint8Array(0), 10],
    ['a byte', new Uint8Array(1), 10],
    ['text in large pieces', text, 1_000_000],
    ['text in small pieces', text.subarray(0, 50_000), 3],
    ['what cannot be compressed', noise(2_500_000), 300_000],
  ] as const) {
    test(`gives what xz decompresses: ${name}`, () => {
      assert(xz(compress(bytes, length), '-dc').equals(bytes));
    });
  }

  test('compresses as xz -8 does', () => {
    const mixed = Buffer.concat([text, noise(100_000), text.subarray(0, 999)]);
    const ours = compress(mixed, 65_536).length;
    assert(ours <= xz(mixed, '-8c').length, `${ours} bytes`);
  });
});
