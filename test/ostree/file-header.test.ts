import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { checksumOf } from '../../ostree/checksum.ts';
import {
  decodeHashedHeader,
  decodeSizedHeader,
  encodeArchiveHeader,
  encodeHashedHeader,
  sizedHeaderLength,
  toArchiveHeader,
  type FileHeader,
} from '../../ostree/file-header.ts';
import { sortXattrs } from '../../ostree/xattrs.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { holdsForAnyBytes, rejects } from './codec-checks.ts';
import { goldenBytes } from './golden.ts';

const golden = goldenBytes('file');

/** The two sized headers as the generic encoder writes them, without any check. */
function sized(variant: Uint8Array): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(variant.length);
  return Buffer.concat([prefix, variant]);
}
interface Fields {
  size?: bigint;
  mode?: number;
  rdev?: number;
  target?: string;
  xattrs?: readonly (readonly [string, string])[];
}
function hashed({ mode = 0o100644, rdev = 0, target = '', xattrs = [] }: Fields): Buffer {
  const pairs = xattrs.map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const);
  return sized(encode('(uuuusa(ayay))', [1, 2, mode, rdev, target, pairs], { byteOrder: 'big' }));
}
function archive({ size = 0n, mode = 0o100644, rdev = 0, target = '', xattrs = [] }: Fields): Buffer {
  const pairs = xattrs.map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const);
  return sized(encode('(tuuuusa(ayay))', [size, 1, 2, mode, rdev, target, pairs], { byteOrder: 'big' }));
}

test('decodeSizedHeader() gives the header that the checksum of every golden file covers', () => {
  assert(golden.length > 300);
  for (const { checksum, bytes } of golden) {
    const { header, size, length, hashedHeader } = decodeSizedHeader(bytes, checksum);
    const content = header.symlinkTarget === '' ? inflateRawSync(bytes.subarray(length)) : Buffer.alloc(0);
    assert.equal(content.length, size);
    assert.equal(checksumOf(Buffer.concat([hashedHeader, content])), checksum);
    assert.deepEqual(Buffer.from(encodeHashedHeader(header)), Buffer.from(hashedHeader));
    assert.deepEqual(Buffer.from(encodeArchiveHeader(header, size)), bytes.subarray(0, length));
    assert.deepEqual(Buffer.from(toArchiveHeader(hashedHeader, size)), bytes.subarray(0, length));
    assert.deepEqual(decodeHashedHeader(hashedHeader), header);
  }
});

test('decodeSizedHeader() gives sizes, lengths and owners', () => {
  const bytes = Buffer.from('0000001a0000000000000000000000010000000000000000000081a4000000000019ff', 'hex');
  const decoded = decodeSizedHeader(bytes);
  assert.equal(decoded.size, 1);
  assert.equal(decoded.length, 34);
  assert.deepEqual(decoded.header, { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] });
  assert.equal(
    Buffer.from(decoded.hashedHeader).toString('hex'),
    '00000012000000000000000000000000000081a4000000000011',
  );
});

test('decodeSizedHeader() sorts xattrs in the header and before hashing', () => {
  const [b, a] = [
    ['user.b\0', '1'],
    ['user.a\0', '22'],
  ] as const;
  const decoded = decodeSizedHeader(archive({ size: 5n, xattrs: [b, a] }));
  assert.deepEqual(
    decoded.header.xattrs.map(({ name }) => name),
    ['user.a', 'user.b'],
  );
  assert.deepEqual(Buffer.from(decoded.hashedHeader), hashed({ xattrs: [a, b] }));
});

test('decodeSizedHeader() keeps nothing of its input', () => {
  const bytes = archive({ xattrs: [['user.a\0', 'value']] });
  const { header } = decodeSizedHeader(bytes);
  bytes.fill(0xff);
  assert.equal(Buffer.from(header.xattrs[0]!.value).toString(), 'value');
});

const L = 0o120777;
const minimal = archive({});
const patched = (at: number, value: number): Buffer => {
  const copy = Buffer.from(minimal);
  copy[at] = value;
  return copy;
};
rejects('decodeSizedHeader', decodeSizedHeader, [
  ['7 bytes', new Uint8Array(7), 'length', /needs 8 bytes/],
  ['a header of no bytes', new Uint8Array(40), 'length', /File header size is zero/],
  ['a header longer than the file', patched(3, 200), 'length', /File header size 200 exceeds size 26/],
  ['padding that is not zero', patched(5, 1), 'padding', /not zero/],
  ['a header of 25 bytes', sized(new Uint8Array(25)), 'symlinkTarget', /Not normal form/],
  ['a size of 2^53', archive({ size: 2n ** 53n }), 'size', /more than 2\^53/],
  ['a symlink with a size', archive({ size: 1n, mode: L, target: 'a' }), 'size', /1 for a symlink/],
  ['a directory', archive({ mode: 0o40755 }), 'mode', /Corrupted archive file; invalid mode 16877/],
  ['a device', archive({ mode: 0o20644 }), 'mode', /invalid mode/],
  ['bits outside the mode', archive({ mode: 0o1100644 }), 'mode', /invalid mode/],
  ['a device number', archive({ rdev: 5 }), 'rdev', /Corrupted archive file; invalid rdev 5/],
  ['a target of a regular file', archive({ target: 'a' }), 'symlinkTarget', /a regular file has a target/],
  ['a symlink without a target', archive({ mode: L }), 'symlinkTarget', /empty/],
  [
    'a target of 4096 bytes',
    archive({ mode: L, target: 'é'.repeat(2048) }),
    'symlinkTarget',
    /4096 bytes, the longest is 4095/,
  ],
  ['a target without its NUL', patched(32, 65), 'symlinkTarget', /no terminating NUL/],
  ['a target offset of 0', patched(33, 0), 'symlinkTarget', /bad framing offset/],
  ['a target offset past the end', patched(33, 26), 'symlinkTarget', /bad framing offset/],
  [
    'an xattr twice',
    archive({
      xattrs: [
        ['a\0', ''],
        ['a\0', ''],
      ],
    }),
    'xattrs[1].name',
    /Duplicate/,
  ],
  ['an xattr without a name', archive({ xattrs: [['\0', '']] }), 'xattrs[0].name', /empty or missing NUL/],
]);

test('decodeSizedHeader() rejects a target that is not UTF-8 or holds a NUL', () => {
  const at = 32;
  const bytes = archive({ mode: L, target: 'abc' });
  bytes[at] = 0xff;
  assert.throws(() => decodeSizedHeader(bytes), { field: 'symlinkTarget', message: /not UTF-8/ });
  bytes[at] = 0;
  assert.throws(() => decodeSizedHeader(bytes), { field: 'symlinkTarget', message: /NUL inside/ });
});

test('sizedHeaderLength() refuses more than 128 MiB, however large the object', () => {
  const bytes = Buffer.from('0800000100000000', 'hex');
  assert.throws(() => sizedHeaderLength(bytes, 2 ** 40), { field: 'length' });
  assert.equal(sizedHeaderLength(Buffer.from('0800000000000000', 'hex'), 2 ** 40), 2 ** 27 + 8);
});

test('encodeHashedHeader() refuses what a reader would', () => {
  const header = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };
  assert.throws(() => encodeHashedHeader({ ...header, mode: 0o40755 }), { field: 'mode' });
  assert.throws(() => encodeHashedHeader({ ...header, uid: -1 }), { field: 'uid' });
  assert.throws(() => encodeHashedHeader({ ...header, gid: 2 ** 32 }), { field: 'gid' });
  assert.throws(() => encodeHashedHeader({ ...header, symlinkTarget: 'a' }), { field: 'symlinkTarget' });
  assert.throws(() => encodeHashedHeader({ ...header, mode: L }), { field: 'symlinkTarget' });
  assert.throws(() => encodeHashedHeader({ ...header, mode: L, symlinkTarget: '\ud800' }), { field: 'symlinkTarget' });
  const value = new Uint8Array(0);
  assert.throws(() => encodeHashedHeader({ ...header, xattrs: [{ name: 'a\0', value }] }), { field: 'xattrs[0].name' });
});

const lengths = fc.oneof(fc.nat(30), fc.integer({ min: 180, max: 300 }), fc.integer({ min: 65480, max: 65540 }));
const anyHeader = fc.record({
  uid: fc.nat(0xffffffff),
  gid: fc.nat(0xffffffff),
  permissions: fc.nat(0o7777),
  target: fc.integer({ min: 0, max: 4095 }),
  values: fc.array(lengths, { maxLength: 3 }),
});
test('encodeHashedHeader() and encodeArchiveHeader() write what the generic GVariant encoder writes', () => {
  fc.assert(
    fc.property(anyHeader, fc.nat(2 ** 40), ({ uid, gid, permissions, target, values }, size) => {
      const header: FileHeader = {
        uid,
        gid,
        mode: (target === 0 ? 0o100000 : 0o120000) | permissions,
        symlinkTarget: 'x'.repeat(target),
        xattrs: sortXattrs(
          values.map((length, i) => ({ name: `user.${9 - i}`, value: new Uint8Array(length) })),
          'test',
        ),
      };
      const contentSize = target === 0 ? size : 0;
      const pairs = header.xattrs.map(({ name, value }) => [Buffer.from(`${name}\0`), value] as const);
      const fields = [uid, gid, header.mode, 0, header.symlinkTarget, pairs] as const;
      const options = { byteOrder: 'big' } as const;
      const inHash = sized(encode('(uuuusa(ayay))', [...fields], options));
      const inArchive = sized(encode('(tuuuusa(ayay))', [BigInt(contentSize), ...fields], options));
      assert(inHash.equals(encodeHashedHeader(header)));
      assert(inArchive.equals(encodeArchiveHeader(header, contentSize)));
      const decoded = decodeSizedHeader(inArchive);
      assert(inHash.equals(decoded.hashedHeader));
      assert.equal(decoded.size, contentSize);
      assert.deepEqual(decoded.header, header);
    }),
    { numRuns: Math.min(fuzzRuns, 300) },
  );
});

const samples = [
  hashed({
    xattrs: [
      ['security.selinux\0', 'system_u:object_r:bin_t:s0\0'],
      ['user.x\0', ''],
    ],
  }),
  hashed({ mode: L, target: 'usr/bin' }),
  hashed({}),
];
// Unsorted xattrs are taken, and sorted: only then may the bytes differ.
holdsForAnyBytes(
  'decodeHashedHeader',
  (bytes) => decodeHashedHeader(bytes),
  (header, bytes) => (header.xattrs.length > 1 ? bytes : encodeHashedHeader(header)),
  samples,
);

holdsForAnyBytes(
  'decodeSizedHeader',
  (bytes) => decodeSizedHeader(bytes),
  ({ header, size, length, hashedHeader }, bytes) => {
    assert.deepEqual(Buffer.from(encodeHashedHeader(header)), Buffer.from(hashedHeader));
    const start = encodeArchiveHeader(header, size);
    return header.xattrs.length > 1 ? bytes : Buffer.concat([start, bytes.subarray(length)]);
  },
  [archive({ size: 7n, xattrs: [['user.x\0', 'y']] }), archive({ mode: L, target: 'usr/bin' }), archive({ size: 1n })],
);
