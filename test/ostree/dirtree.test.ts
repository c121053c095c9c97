import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeDirTree, encodeDirTree } from '../../ostree/dirtree.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import { compareUtf8 } from '../../ostree/text-order.ts';
import { encode } from '../../gvariant/src/encode.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { holdsForAnyBytes, rejects } from './codec-checks.ts';
import { goldenBytes } from './golden.ts';

const TYPE = '(a(say)a(sayay))';
const golden = goldenBytes('dirtree');
const sum = new Uint8Array(32).fill(9);
const hex = '09'.repeat(32) as OstreeChecksum;

/** A dirtree with these names, made without any check. */
function tree(files: readonly string[], directories: readonly string[] = [], checksum = sum, meta = sum): Uint8Array {
  return encode(TYPE, [
    files.map((name) => [name, checksum] as const),
    directories.map((name) => [name, sum, meta] as const),
  ]);
}

test('decodeDirTree() and encodeDirTree() keep every golden dirtree', () => {
  assert(golden.length > 50);
  for (const { checksum, bytes } of golden) {
    verifyMetadataObject('dirtree', checksum, bytes);
    assert.deepEqual(Buffer.from(encodeDirTree(decodeDirTree(bytes, checksum))), bytes);
  }
});

test('decodeDirTree() gives names and checksums', () => {
  assert.deepEqual(decodeDirTree(tree(['a', 'b\nc'], ['d'])), {
    files: [
      { name: 'a', checksum: hex },
      { name: 'b\nc', checksum: hex },
    ],
    directories: [{ name: 'd', tree: hex, meta: hex }],
  });
});

test('decodeDirTree() takes names in byte-wise order where UTF-16 order differs', () => {
  assert.equal(decodeDirTree(tree(['\u{ff21}', '\u{10000}'])).files.length, 2);
});

const short = sum.subarray(1);
rejects('decodeDirTree', decodeDirTree, [
  ['no bytes', new Uint8Array(0), TYPE, /Not normal form/],
  ['an empty name', tree(['']), 'files[0].name', /Invalid empty filename/],
  ['an empty directory name', tree([], ['']), 'directories[0].name', /Invalid empty filename/],
  ['a name .', tree(['.']), 'files[0].name', /Invalid self-referential filename '\.'/],
  ['a directory ..', tree([], ['..']), 'directories[0].name', /Invalid path uplink filename '\.\.'/],
  ['a name with a slash', tree(['a', 'b/c']), 'files[1].name', /Invalid \/ in filename b\/c/],
  ['two files of one name', tree(['a', 'a']), 'files[1].name', /"a" occurs twice/],
  ['two directories of one name', tree([], ['a', 'a']), 'directories[1].name', /"a" occurs twice/],
  ['a name that is a file and a directory', tree(['a', 'c'], ['b', 'c']), 'directories[1].name', /"c" is a file too/],
  ['files out of order', tree(['b', 'a']), 'files[1].name', /"a" is not in order, it follows "b"/],
  ['directories out of order', tree([], ['b', 'a']), 'directories[1].name', /not in order/],
  ['UTF-16 order', tree(['\u{10000}', '\u{ff21}']), 'files[1].name', /not in order/],
  ['a file checksum of 31 bytes', tree(['a'], [], short), 'files[0].checksum', /length 31 expected 32/],
  ['a dirmeta checksum of 31 bytes', tree([], ['a'], sum, short), 'directories[0].meta', /length 31 expected 32/],
  ['a name that is not UTF-8', Buffer.from(tree(['a'])).fill(0xff, 0, 1), TYPE, /Not normal form/],
  ['a byte too many', Buffer.concat([tree(['a']), Buffer.alloc(1)]), TYPE, /Not normal form/],
]);

for (const name of ['', '.', '..', 'a/b', 'a\0b', '\ud800']) {
  test(`encodeDirTree() refuses the name ${JSON.stringify(name)}`, () => {
    assert.throws(() => encodeDirTree({ files: [{ name, checksum: hex }], directories: [] }), {
      field: 'files[0].name',
    });
  });
}

holdsForAnyBytes(
  'decodeDirTree',
  (bytes) => decodeDirTree(bytes),
  encodeDirTree,
  golden.map(({ bytes }) => bytes),
);

test('compareUtf8() is the order of the UTF-8 bytes', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\u{ff21}', '\u{e000}', '\u{10000}', '\u{1f600}') });
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: fuzzRuns },
  );
});
