import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkCollectionId,
  checkRefName,
  checkRemoteName,
  formatRefspec,
  isCollectionId,
  isRefName,
  parseRefspec,
} from '../../ostree/ref.ts';

for (const name of ['a', 'golden/x86_64/os', 'é', '_x', 'a.b-c', '9', 'a/b.c/d']) {
  test(`checkRefName() takes ${name}`, () => {
    checkRefName(name);
    assert(isRefName(name));
    assert.deepEqual(parseRefspec(`origin:${name}`), { remote: 'origin', ref: name });
  });
}

for (const name of ['', '.a', '-a', 'a//b', '/a', 'a/', 'a/.b', '..', 'a/../b', 'a~', 'a+b', 'a b', 'a\n', 'a^']) {
  test(`checkRefName() refuses ${JSON.stringify(name)}`, () => {
    assert.throws(() => checkRefName(name), { code: 'FORMAT', message: `Invalid ref name ${name}` });
    assert.throws(() => parseRefspec(name), { code: 'FORMAT', message: `Invalid refspec ${name}` });
    assert(!isRefName(name));
  });
}

test('checkRefName() refuses a checksum', () => {
  const sum = 'a'.repeat(64);
  assert.throws(() => checkRefName(sum), { message: `Rev name '${sum}' looks like a checksum` });
});

test('parseRefspec() and formatRefspec() are inverse', () => {
  for (const text of ['a/b', 'origin:a/b']) assert.equal(formatRefspec(parseRefspec(text)), text);
  assert.deepEqual(parseRefspec('a/b'), { remote: undefined, ref: 'a/b' });
});

for (const text of ['a:b:c', ':a', 'a:', 'a/b:c', '.a:b']) {
  test(`parseRefspec() refuses ${text}`, () => {
    assert.throws(() => parseRefspec(text), { code: 'FORMAT', message: `Invalid refspec ${text}` });
  });
}

test('checkRemoteName() takes one fragment', () => {
  checkRemoteName('origin');
  for (const name of ['', 'a/b', '.a']) {
    assert.throws(() => checkRemoteName(name), { code: 'FORMAT', message: `Invalid remote name ${name}` });
  }
});

test('checkCollectionId() takes the names of D-Bus interfaces', () => {
  checkCollectionId('org.example.Golden');
  assert(isCollectionId('a.b'));
  for (const id of ['', 'org', 'org.', '.org', 'org..a', 'org.9a', 'org.a-b', `a.${'b'.repeat(254)}`]) {
    assert.throws(() => checkCollectionId(id), { code: 'FORMAT', message: `Invalid collection ID ${id}` });
  }
});
