import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeDirMeta, decodeOstreeMeta, encodeDirMeta } from '../../ostree/dirmeta.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import { decodeXattrs, encodeXattrs, sortXattrs } from '../../ostree/xattrs.ts';
import { checkNormal, isNormal } from '../../gvariant/src/normal.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { holdsForAnyBytes, rejects } from './codec-checks.ts';
import { goldenBytes } from './golden.ts';

const golden = goldenBytes('dirmeta');
const type = '(uuua(ayay))';
type Pair = readonly [name: string, value: string];

/** A dirmeta with this mode and these xattrs (names with their NUL), made by the generic encoder without any check. */
function dirmeta(mode: number, xattrs: readonly Pair[] = []): Uint8Array {
  const pairs = xattrs.map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const);
  return encode(type, [0, 0, mode, pairs], { byteOrder: 'big' });
}

test('decodeDirMeta() and encodeDirMeta() keep every golden dirmeta', () => {
  assert(golden.length >= 5);
  for (const { checksum, bytes } of golden) {
    verifyMetadataObject('dirmeta', checksum, bytes);
    assert.deepEqual(Buffer.from(encodeDirMeta(decodeDirMeta(bytes, checksum))), bytes);
  }
});

test('decodeDirMeta() reads big-endian numbers', () => {
  const meta = decodeDirMeta(Buffer.from('000003e800000064000041ed', 'hex'));
  assert.deepEqual(meta, { uid: 1000, gid: 100, mode: 0o40755, xattrs: [] });
});

test('decodeDirMeta() gives xattr names without their NUL', () => {
  const { xattrs } = decodeDirMeta(
    dirmeta(0o40755, [
      ['user.a\0', '1'],
      ['user.b\0', ''],
    ]),
  );
  assert.deepEqual(
    xattrs.map(({ name, value }) => [name, Buffer.from(value).toString()]),
    [
      ['user.a', '1'],
      ['user.b', ''],
    ],
  );
});

const D = 0o40755;
rejects('decodeDirMeta', decodeDirMeta, [
  ['11 bytes', new Uint8Array(11), 'mode', /Not normal form/],
  ['the mode of a file', dirmeta(0o100644), 'mode', /Invalid directory metadata mode 33188; not a directory/],
  ['bits outside the mode', dirmeta(0o240755), 'mode', /Invalid mode 82413; invalid bits in mode/],
  ['an empty xattr name', dirmeta(D, [['\0', 'x']]), 'xattrs[0].name', /empty or missing NUL\) index=0/],
  ['an xattr name of no bytes', dirmeta(D, [['', 'x']]), 'xattrs[0].name', /empty or missing NUL/],
  ['an xattr name without NUL', dirmeta(D, [['ab', 'x']]), 'xattrs[0].name', /empty or missing NUL/],
  ['an xattr name with two NULs', dirmeta(D, [['a\0b\0', 'x']]), 'xattrs[0].name', /NUL inside/],
  [
    'the same xattr twice',
    dirmeta(D, [
      ['a\0', 'x'],
      ['a\0', 'y'],
    ]),
    'xattrs[1].name',
    /Duplicate xattr name, index=1/,
  ],
  [
    'unsorted xattrs',
    dirmeta(D, [
      ['b\0', 'x'],
      ['a\0', 'y'],
    ]),
    'xattrs[1].name',
    /Incorrectly sorted .*index=1/,
  ],
  ['one byte of xattrs', Buffer.concat([dirmeta(D), Buffer.from([9])]), 'xattrs', /Not normal form/],
  [
    'an offset past its entry',
    Buffer.concat([dirmeta(D), Buffer.from('6100780904', 'hex')]),
    'xattrs[0]',
    /Not normal form/,
  ],
]);

holdsForAnyBytes('decodeDirMeta', (bytes) => decodeDirMeta(bytes), encodeDirMeta, [
  ...golden.map(({ bytes }) => bytes),
  dirmeta(D, [
    ['user.a\0', 'x'.repeat(300)],
    ['user.b\0', ''],
  ]),
]);

test('decodeOstreeMeta() sorts xattrs and takes files and symlinks only', () => {
  const { xattrs } = decodeOstreeMeta(
    dirmeta(0o100644, [
      ['b\0', ''],
      ['a\0', ''],
    ]),
  );
  assert.deepEqual(
    xattrs.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.equal(decodeOstreeMeta(dirmeta(0o120777)).mode, 0o120777);
  for (const mode of [D, 0o020644, 0o1100644]) assert.throws(() => decodeOstreeMeta(dirmeta(mode)), { field: 'mode' });
});

const sized = fc.oneof({ weight: 9, arbitrary: fc.nat(40) }, fc.integer({ min: 240, max: 260 }));
const someXattrs = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 300 }), sized, sized), { selector: ([name]) => name, maxLength: 12 })
  .map((rows) =>
    rows.map(([name, long, value]) => ({
      name: `user.${String.fromCharCode(1 + (name % 255))}${'n'.repeat(name > 255 ? long + 1 : 0)}`,
      value: new Uint8Array(value).fill(name),
    })),
  );

test('encodeXattrs() writes what the generic GVariant encoder writes', () => {
  fc.assert(
    fc.property(someXattrs, (list) => {
      const unique = [...new Map(list.map((xattr) => [xattr.name, xattr])).values()];
      const xattrs = sortXattrs(unique, 'test');
      const bytes = encodeXattrs(xattrs);
      const pairs = xattrs.map(({ name, value }) => [Buffer.from(`${name}\0`, 'latin1'), value] as const);
      assert.deepEqual(Buffer.from(bytes), Buffer.from(encode('a(ayay)', pairs)));
      assert.deepEqual(decodeXattrs(bytes, 0, bytes.length, 'test', 'sorted'), xattrs);
    }),
    { numRuns: Math.min(fuzzRuns, 2000) },
  );
});

test('decodeXattrs() takes only what the generic GVariant decoder calls normal', () => {
  const bytes = fc.uint8Array({ maxLength: 24 }).map((array) => array.map((byte) => byte % 26));
  fc.assert(
    fc.property(bytes, (bytes) => {
      let problem = '';
      try {
        decodeXattrs(bytes, 0, bytes.length, 'test', 'any');
      } catch (error) {
        problem = String(error);
      }
      if (problem === '') checkNormal('a(ayay)', bytes);
      else if (problem.includes('Not normal form')) assert(!isNormal('a(ayay)', bytes));
    }),
    { numRuns: fuzzRuns },
  );
});
