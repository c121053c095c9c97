import assert from 'node:assert/strict';
import { test } from 'node:test';
import { materialize } from '../../gvariant/src/array.ts';
import { byteswap } from '../../gvariant/src/byteswap.ts';
import { print } from '../../gvariant/src/print.ts';
import { Variant } from '../../gvariant/src/value.ts';

test('byteswap() reverses numbers at any depth and leaves the rest', () => {
  const value = ['text', true, 0xab, Uint8Array.of(1, 2), [1, 2], new Variant('q', 1), 5n, -1, 0x100] as const;
  assert.deepEqual(materialize(byteswap('(sbyayauvthn)', value)), [
    'text',
    true,
    0xab,
    Uint8Array.of(1, 2),
    [0x01000000, 0x02000000],
    new Variant('q', 0x100),
    5n << 56n,
    -1,
    1,
  ]);
});

test('byteswap() shows user integers as ostree show --raw does', () => {
  assert.equal(print('a{sv}', byteswap('a{sv}', [['n', { type: 'u', value: 5 }]])), `{'n': <uint32 83886080>}`);
});
