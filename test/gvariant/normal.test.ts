import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { test } from 'node:test';
import { materialize } from '../../gvariant/src/array.ts';
import { decode } from '../../gvariant/src/decode.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { checkNormal, isNormal } from '../../gvariant/src/normal.ts';

const repository = join(import.meta.dirname, '../../fixtures/ostree-repo');
const types: Readonly<Record<string, string>> = {
  '.commit': '(a{sv}aya(say)sstayay)',
  '.dirtree': '(a(say)a(sayay))',
  '.dirmeta': '(uuua(ayay))',
};

test('checkNormal() accepts what ostree wrote, and encode() writes it again', () => {
  let count = 0;
  const files = readdirSync(join(repository, 'objects'), { recursive: true, encoding: 'utf8' });
  for (const [file, type] of [
    ...files.map((file) => [join('objects', file), types[extname(file)]] as const),
    ['summary', '(a(s(taya{sv}))a{sv})'] as const,
  ]) {
    if (type === undefined) continue;
    const bytes = new Uint8Array(readFileSync(join(repository, file)));
    checkNormal(type, bytes);
    assert.deepEqual(encode(type, materialize(decode(type, bytes))), bytes, file);
    count++;
  }
  assert.ok(count > 60, `${count} objects`);
});

test('isNormal() does not hide an invalid type string', () => {
  assert.throws(() => isNormal('a', new Uint8Array()), /incomplete/);
});

test('isNormal() is false for a value with any one byte cut off or added', () => {
  const type = '(uuuusa(ayay))';
  const bytes = encode(type, [0, 0, 0o100644, 0, '', [[Uint8Array.of(0x61, 0), Uint8Array.of(0x62, 0)]]]);
  assert.equal(isNormal(type, bytes), true);
  for (let size = 0; size < bytes.length; size++)
    assert.equal(isNormal(type, bytes.subarray(0, size)), false, `${size}`);
  assert.equal(isNormal(type, Uint8Array.from([...bytes, 0])), false);
});
