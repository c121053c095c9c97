import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  assertRefName,
  assertStreamName,
  escapeRef,
  linkedObject,
  linkText,
  temporaryName,
  unescapeRef,
} from '../../src/repository/layout.ts';

const texts: readonly [link: string, target: string, text: string][] = [
  ['streams/a', 'objects/aa/bb', '../objects/aa/bb'],
  ['streams/refs/a', 'streams/a', '../a'],
  ['streams/refs/a/b', 'streams/n', '../../n'],
  ['images/refs/a/b/c', 'images/hex', '../../../hex'],
];
for (const [link, target, text] of texts) {
  test(`linkText() from ${link} to ${target} is ${text}`, () => assert.equal(linkText(link, target), text));
}

test('linkedObject() reads the last two components', () => {
  const id = 'ab'.repeat(32);
  const path = `ab/${'ab'.repeat(31)}`;
  assert.equal(linkedObject(`../objects/${path}`, 'sha256'), id);
  assert.equal(linkedObject(`../elsewhere/deep/${path}`, 'sha256'), id);
  for (const text of [path, `../objects/${path}`.toUpperCase(), `../objects/${id}`, '', '../x', `/objects/${path}`]) {
    assert.equal(linkedObject(text, 'sha256'), undefined, text);
  }
  assert.equal(linkedObject(`../objects/${path}`, 'sha512'), undefined);
});

test('escapeRef() is undone by unescapeRef(), and leaves no slash', () => {
  assert.equal(escapeRef('a%b/c:d e'), 'a%25b%2Fc:d e');
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('%', '2', '5', 'F', '/', 'a') }), (name) => {
      assert.equal(unescapeRef(escapeRef(name)), name);
      assert.ok(!escapeRef(name).includes('/'));
    }),
  );
});

test('assertStreamName() and assertRefName() refuse what is no file name', () => {
  for (const name of ['', '.', '..', 'a/b', 'a\0', 'refs', 'x'.repeat(256)]) {
    assert.throws(() => assertStreamName(name), { code: 'USAGE' }, name);
  }
  for (const ref of ['', '/a', 'a/', 'a//b', 'a/../b', '.', 'a\0']) {
    assert.throws(() => assertRefName(ref), { code: 'USAGE' }, ref);
  }
  assertRefName('ostree/a%2Fb');
});

test('temporaryName() adds 12 letters and digits', () => {
  for (let i = 0; i < 100; i++) assert.match(temporaryName('.symlink-'), /^\.symlink-[A-Za-z0-9]{12}$/);
});
