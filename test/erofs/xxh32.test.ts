import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteString } from '../../src/tree/byte-string.ts';
import { xxh32 } from '../../src/erofs/xxh32.ts';

// The published test vectors of XXH32.
for (const [text, seed, hash] of [
  ['', 0, 0x02cc5d05],
  ['a', 0, 0x550d7456],
  ['abc', 0, 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0, 0xe2293b2f],
] as const) {
  test(`xxh32() of '${text}'`, () => assert.equal(xxh32(text as ByteString, seed), hash));
}
