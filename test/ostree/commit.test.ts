import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { contentChecksum, decodeCommit, encodeCommit } from '../../ostree/commit.ts';
import { decodeCommitMeta, metadataValue, type Metadata } from '../../ostree/metadata.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { holdsForAnyBytes, rejects } from './codec-checks.ts';
import { goldenBytes } from './golden.ts';

const golden = goldenBytes('commit');
const third = 'f8f33ca04dc7bf93bb13af65045c8ffa0927716514b182803eb1b5bf67c6bf77';
const sum = new Uint8Array(32).fill(7);
const none = new Uint8Array(0);

test('decodeCommit() and encodeCommit() keep every golden commit', () => {
  assert(golden.length >= 6);
  for (const { checksum, bytes } of golden) {
    verifyMetadataObject('commit', checksum, bytes);
    assert.deepEqual(Buffer.from(encodeCommit(decodeCommit(bytes, checksum))), bytes);
  }
});

test('decodeCommit() gives what `ostree show` prints', () => {
  const bytes = golden.find(({ checksum }) => checksum === third)!.bytes;
  const commit = decodeCommit(bytes);
  assert.equal(commit.parent, '9e66836a721c83ccd4b6c2dfb1afd92b7b5d148435a37a095180ca7c4afae863');
  assert.equal(contentChecksum(commit), 'f7c7c516bbb58c75e3e7093039054d23b8dedbd907a578326e755a54af909c23');
  assert.equal(commit.timestamp, BigInt(Date.UTC(2023, 10, 17, 22, 13, 20) / 1000));
  assert.equal(commit.subject, 'golden 3');
  assert.equal(commit.body, 'The body of 3.\nSecond line.');
  assert.equal(metadataValue(commit.metadata, 'version', 's'), '3.0');
  assert.equal(metadataValue(commit.metadata, 'version', 'u'), undefined);
  assert.deepEqual([...metadataValue(commit.metadata, 'ostree.ref-binding', 'as')!], ['golden/x86_64/os']);
});

test('verifyMetadataObject() names the object and both checksums', () => {
  const { checksum, bytes } = golden[0]!;
  const damaged = Buffer.from(bytes);
  damaged[20]! ^= 1;
  assert.throws(() => verifyMetadataObject('commit', checksum, damaged), {
    code: 'CHECKSUM',
    message: `Corrupted commit object: checksum expected ${checksum}, actual ${checksumOf(damaged)}`,
  });
});

const TYPE = '(a{sv}aya(say)sstayay)';
const broken = (changes: { key?: string; parent?: Uint8Array; tree?: Uint8Array; meta?: Uint8Array }): Uint8Array =>
  encode(TYPE, [
    [[changes.key ?? 'k', { type: 's', value: 'v' }]],
    changes.parent ?? none,
    [],
    '',
    '',
    0n,
    changes.tree ?? sum,
    changes.meta ?? sum,
  ]);

rejects('decodeCommit', decodeCommit, [
  ['no bytes', none, TYPE, /Not normal form/],
  ['an empty metadata key', broken({ key: '' }), 'metadata[0]', /Empty metadata key/],
  [
    'a parent of 31 bytes',
    broken({ parent: sum.subarray(1) }),
    'parent',
    /Invalid commit parent: .* length 31 expected 32/,
  ],
  ['a tree of no bytes', broken({ tree: none }), 'rootTree', /Invalid commit tree content checksum: .* length 0/],
  [
    'a meta of 33 bytes',
    broken({ meta: new Uint8Array(33) }),
    'rootMeta',
    /Invalid commit tree metadata checksum: .* 33/,
  ],
  ['a byte too many', Buffer.concat([broken({}), Buffer.alloc(1)]), TYPE, /Not normal form/],
]);

test('decodeCommit() names the commit that it could not decode', () => {
  assert.throws(
    () => decodeCommit(none, third as OstreeChecksum),
    new RegExp(`^FormatError: Invalid commit ${third}: `),
  );
});

const commits = golden.map(({ bytes }) => bytes);
holdsForAnyBytes('decodeCommit', (bytes) => decodeCommit(bytes), encodeCommit, commits);

const encodeCommitMeta = (metadata: Metadata): Uint8Array => encode('a{sv}', metadata);

test('decodeCommitMeta() takes an empty file and keeps the golden ones', () => {
  assert.deepEqual(decodeCommitMeta(none), []);
  const metas = goldenBytes('commitmeta');
  assert(metas.length > 0);
  for (const { bytes } of metas) assert.deepEqual(Buffer.from(encodeCommitMeta(decodeCommitMeta(bytes))), bytes);
});

holdsForAnyBytes(
  'decodeCommitMeta',
  (bytes) => decodeCommitMeta(bytes),
  encodeCommitMeta,
  goldenBytes('commitmeta').map(({ bytes }) => bytes),
);
