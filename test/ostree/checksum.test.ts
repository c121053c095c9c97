import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checksumBytes,
  checksumFromBytes,
  checksumOf,
  isChecksum,
  parseChecksum,
  type OstreeChecksum,
} from '../../ostree/checksum.ts';

const digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as OstreeChecksum;

test('parseChecksum() takes 64 lower-case hex digits', () => {
  assert.equal(parseChecksum(digest), digest);
  assert(isChecksum(digest));
});

const bad: readonly (readonly [string, string, string])[] = [
  ['short text', 'abc', 'Invalid rev abc'],
  ['long text', `${digest}\n0`, `Invalid rev ${digest}`],
  ['line breaks', 'a\nb', 'Invalid rev a b'],
  ['upper case', digest.replace('e', 'E'), `Invalid character '69' in rev '${digest.replace('e', 'E')}'`],
  ['another letter', `g${digest.slice(1)}`, `Invalid character '103' in rev 'g${digest.slice(1)}'`],
];
for (const [name, text, message] of bad) {
  test(`parseChecksum() rejects ${name} with libostree's message`, () => {
    assert.throws(() => parseChecksum(text), { code: 'FORMAT', message });
    assert(!isChecksum(text));
  });
}

test('checksumFromBytes() and checksumBytes() are inverse', () => {
  assert.equal(checksumFromBytes(checksumBytes(digest)), digest);
});

test('checksumFromBytes() rejects 31 bytes', () => {
  assert.throws(() => checksumFromBytes(new Uint8Array(31)), /Invalid checksum of length 31 expected 32/);
});

test('checksumOf() is SHA-256', () => {
  assert.equal(checksumOf(new Uint8Array(0)), digest);
});
