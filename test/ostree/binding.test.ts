import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Variant } from '../../gvariant/src/value.ts';
import { verifyBinding, verifyNotOlder, type BindingRequest } from '../../ostree/binding.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import type { Metadata } from '../../ostree/metadata.ts';
import { goldenBytes } from './golden.ts';

const c = 'c3752bc76172f7c09a003656ba43baadebb0d7347dcda6d56c6204b9d139fac4' as OstreeChecksum;
const d = 'a7e5130f0037c068588cf197312ac11865848bea33596cbe59f6eab87af72988' as OstreeChecksum;

function bound(refs?: readonly string[], collection?: string): Metadata {
  const metadata: [string, Variant][] = [['other', new Variant('s', 'x')]];
  if (refs !== undefined) metadata.push(['ostree.ref-binding', new Variant('as', refs)]);
  if (collection !== undefined) metadata.push(['ostree.collection-binding', new Variant('s', collection)]);
  return metadata;
}

const passing: readonly (readonly [name: string, metadata: Metadata, request: BindingRequest])[] = [
  ['no bindings and no collection', bound(), { ref: 'a' }],
  ['the ref', bound(['b', 'a']), { ref: 'a' }],
  ['any ref for a commit asked for by checksum', bound(['b']), {}],
  ['a collection that nobody asked for', bound(['a'], 'org.a.A'), { ref: 'a' }],
  ['ref and collection', bound(['a'], 'org.a.A'), { ref: 'a', collectionId: 'org.a.A' }],
  ['the collection, asked for by checksum', bound(['a'], 'org.a.A'), { collectionId: 'org.a.A' }],
];
for (const [name, metadata, request] of passing) {
  test(`verifyBinding() accepts ${name}`, () => verifyBinding(c, metadata, request));
}

// The words are those of `ostree pull` 2022.7, except the last row's.
const A = 'org.a.A';
const refused: readonly (readonly [metadata: Metadata, request: BindingRequest, problem: string])[] = [
  [bound(['test/main']), { ref: 'other' }, 'Commit has no requested ref ‘other’ in ref binding metadata (‘test/main’)'],
  [
    bound(['a/a', 'test/two', 'z/b'], A),
    { ref: 'other2', collectionId: A },
    'Commit has no requested ref ‘other2’ in ref binding metadata (‘a/a’, ‘test/two’, ‘z/b’)',
  ],
  [
    bound(),
    { ref: 'test/none', collectionId: A },
    'Expected commit metadata to have ref binding information, found none',
  ],
  [bound(), { collectionId: A }, 'Expected commit metadata to have ref binding information, found none'],
  [bound(['a']), { collectionId: A }, 'Expected commit metadata to have collection ID binding information, found none'],
  [
    bound(['a'], 'org.b.B'),
    { ref: 'a', collectionId: A },
    'Commit has collection ID ‘org.b.B’ in collection binding metadata, while the remote it came from has collection ID ‘org.a.A’',
  ],
  [bound([]), { ref: 'a' }, 'Commit has no requested ref ‘a’ in ref binding metadata (no refs)'],
  [
    [['ostree.ref-binding', new Variant('s', 'a')]],
    { ref: 'a' },
    'Commit metadata ostree.ref-binding has type s instead of as',
  ],
];
for (const [metadata, request, problem] of refused) {
  test(`verifyBinding() says: ${problem}`, () => {
    assert.throws(() => verifyBinding(c, metadata, request), { code: 'CONFLICT', message: `Commit ${c}: ${problem}` });
  });
}

test('verifyBinding() accepts the golden commits under their own ref and no other', () => {
  for (const { checksum, bytes } of goldenBytes('commit')) {
    const { metadata } = decodeCommit(bytes, checksum);
    const refs = metadata.find(([key]) => key === 'ostree.ref-binding')?.[1].value as Iterable<string>;
    const collectionId = 'org.example.Golden';
    for (const ref of refs) verifyBinding(checksum, metadata, { ref, collectionId });
    assert.throws(() => verifyBinding(checksum, metadata, { ref: 'no/such', collectionId }), { code: 'CONFLICT' });
  }
});

test('verifyNotOlder() lets the same time and a later one pass', () => {
  const current = { checksum: c, timestamp: 1_577_934_245n };
  verifyNotOlder(current, { checksum: d, timestamp: 1_577_934_245n });
  verifyNotOlder(current, { checksum: d, timestamp: 2n ** 64n - 1n });
});

test('verifyNotOlder() says what `ostree pull --timestamp-check` says', () => {
  const current = { checksum: c, timestamp: BigInt(Date.UTC(2020, 0, 2, 3, 4, 5) / 1000) };
  const target = { checksum: d, timestamp: BigInt(Date.UTC(2018, 0, 2, 3, 4, 5) / 1000) };
  assert.throws(() => verifyNotOlder(current, target), {
    code: 'CONFLICT',
    message:
      `Upgrade target revision '${d}' with timestamp 'Tue Jan  2 03:04:05 2018' is chronologically older than current revision ` +
      `'${c}' with timestamp 'Thu Jan  2 03:04:05 2020'; pull without the check of timestamps to permit it`,
  });
  assert.throws(() => verifyNotOlder({ checksum: c, timestamp: 2n ** 64n - 1n }, target), {
    message: /timestamp '@18446744073709551615'; pull/,
  });
});
