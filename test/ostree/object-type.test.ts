import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { isMetadataType, loosePath, objectNumbers, objectTypeOf, type ObjectType } from '../../ostree/object-type.ts';

const checksum = 'ab'.repeat(32) as OstreeChecksum;

const rows: readonly (readonly [ObjectType, number, boolean, string])[] = [
  ['file', 1, false, 'filez'],
  ['dirtree', 2, true, 'dirtree'],
  ['dirmeta', 3, true, 'dirmeta'],
  ['commit', 4, true, 'commit'],
  ['tombstone-commit', 5, true, 'tombstone-commit'],
  ['commitmeta', 6, true, 'commitmeta'],
  ['payload-link', 7, false, 'payload-linkz'],
  ['file-xattrs', 8, false, 'file-xattrsz'],
  ['file-xattrs-link', 9, false, 'file-xattrs-linkz'],
];
for (const [type, number, metadata, archiveExtension] of rows) {
  test(`loosePath() of a ${type}, object number ${number}`, () => {
    assert.equal(objectNumbers[type], number);
    assert.equal(objectTypeOf(number), type);
    assert.equal(isMetadataType(type), metadata);
    assert.equal(loosePath(type, checksum, false), `ab/${'ab'.repeat(31)}.${type}`);
    assert.equal(loosePath(type, checksum, true), `ab/${'ab'.repeat(31)}.${archiveExtension}`);
  });
}

test('objectTypeOf() does not know 0 and 10', () => {
  assert.equal(objectTypeOf(0), undefined);
  assert.equal(objectTypeOf(10), undefined);
});
