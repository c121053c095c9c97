import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import type { OstreeChecksum } from '../../../ostree/checksum.ts';
import { encodeDirMeta } from '../../../ostree/dirmeta.ts';
import { encodeArchiveHeader } from '../../../ostree/file-header.ts';
import { openLocalRepository } from '../../../ostree/local/repository.ts';
import type { XattrReader } from '../../../ostree/local/xattr-reader.ts';
import { encodeXattrs } from '../../../ostree/xattrs.ts';
import { encode } from '../../../gvariant/src/encode.ts';
import { needs } from '../../needs.ts';
import { contentOf } from '../source-contract.ts';
import { Handmade } from './handmade.ts';

const some = 'cd'.repeat(32) as OstreeChecksum;
const modes = ['archive-z2', 'bare', 'bare-user', 'bare-user-only', 'bare-split-xattrs'];
const plain = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };
const link = { ...plain, mode: 0o120777, symlinkTarget: 'target' };

/** Answers as if every inode had these attributes. */
function fixedXattrs(attributes: Readonly<Record<string, Uint8Array>>): XattrReader {
  return { getXattr: (_, name) => attributes[name], listXattrs: () => Object.keys(attributes) };
}
const none = fixedXattrs({});

/** `ostreemeta` of a file with this mode, made without checks. */
function ostreeMeta(mode: number): Uint8Array {
  return encode('(uuua(ayay))', [1, 2, mode, []], { byteOrder: 'big' });
}

/** Descriptors that this process has open. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

const odd: readonly (readonly [string, (path: string) => void])[] = [
  ['a folder', (path) => mkdirSync(path)],
  ['a FIFO', (path) => assert.equal(spawnSync('mkfifo', [path]).status, 0)],
];
for (const mode of modes) {
  for (const [name, make] of odd) {
    test(`openFile() refuses ${name} in a ${mode} repository, and leaves nothing open`, () => {
      using repository = new Handmade(mode);
      const path = repository.pathOf('file', some);
      make(path);
      const source = openLocalRepository(repository.path, { xattrs: none });
      const before = openDescriptors();
      assert.throws(() => source.openFile(some), { code: 'CORRUPT', message: `${path} is not a regular file` });
      assert.equal(openDescriptors(), before);
    });
  }
}

for (const [name, make] of [...odd, ['a symlink', (path: string) => symlinkSync('/etc/hostname', path)] as const]) {
  test(`readObject() refuses ${name}`, () => {
    using repository = new Handmade();
    const path = repository.pathOf('dirtree', some);
    make(path);
    const source = openLocalRepository(repository.path);
    assert.throws(() => source.readObject('dirtree', some), {
      code: 'CORRUPT',
      message: `${path} is not a regular file`,
    });
  });
}

for (const mode of ['archive', 'bare-user']) {
  test(`openFile() refuses a symlink in a ${mode} repository`, () => {
    using repository = new Handmade(mode);
    symlinkSync('/etc/hostname', repository.pathOf('file', some));
    const source = openLocalRepository(repository.path, { xattrs: none });
    assert.throws(() => source.openFile(some), { code: 'CORRUPT', message: /is not a regular file/ });
  });
}

test('readObject() refuses more than 128 MiB without reading it', () => {
  using repository = new Handmade();
  repository.put('dirtree', some, '');
  truncateSync(repository.pathOf('dirtree', some), 128 * 1024 * 1024 + 1);
  assert.throws(() => openLocalRepository(repository.path).readObject('dirtree', some), { code: 'LIMIT' });
});

test('readObject() gives an empty object, and one larger than its buffer', () => {
  using repository = new Handmade();
  const large = Buffer.alloc(200_000, 'ab');
  repository.put('commitmeta', some, '');
  repository.put('dirtree', some, large);
  const source = openLocalRepository(repository.path);
  assert.equal(source.readObject('commitmeta', some).length, 0);
  assert.deepEqual(Buffer.from(source.readObject('dirtree', some)), large);
});

const header = encodeArchiveHeader(plain, 5);
const lying = Buffer.from(header);
lying.writeUInt32BE(1000);
const archives: readonly (readonly [string, Uint8Array, string])[] = [
  ['an empty file', new Uint8Array(0), 'length'],
  ['7 bytes', new Uint8Array(7), 'length'],
  ['a header of no bytes', new Uint8Array(8), 'length'],
  ['a header longer than the file', lying, 'length'],
  ['a symlink with content', Buffer.concat([encodeArchiveHeader(link, 0), Buffer.from('x')]), 'content'],
];
for (const [name, bytes, field] of archives) {
  test(`openFile() refuses ${name} in an archive, and leaves nothing open`, () => {
    using repository = new Handmade();
    repository.put('file', some, bytes);
    const source = openLocalRepository(repository.path);
    const before = openDescriptors();
    assert.throws(() => source.openFile(some), { code: 'FORMAT', field, message: new RegExp(some) });
    assert.equal(openDescriptors(), before);
  });
}

const attribute = { name: 'user.large', value: new Uint8Array(100_000) };
const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 7919) >> 7));
const stored: readonly (readonly [string, typeof plain, Uint8Array, boolean])[] = [
  ['a small file', plain, Buffer.from('hello'), true],
  ['a large file', plain, noise, false],
  ['a header larger than the buffer', { ...plain, xattrs: [attribute] as never }, Buffer.from('hello'), false],
  ['an empty file', plain, new Uint8Array(0), true],
];
for (const [name, fields, content, complete] of stored) {
  test(`openFile() gives the content of ${name} of an archive`, () => {
    using repository = new Handmade();
    repository.put(
      'file',
      some,
      Buffer.concat([encodeArchiveHeader(fields, content.length), deflateRawSync(content, { level: 0 })]),
    );
    using file = openLocalRepository(repository.path).openFile(some);
    assert.deepEqual(file.header, fields);
    assert.equal(file.size, content.length);
    assert(file.content.kind === 'file');
    assert.equal(file.content.complete, complete);
    assert.deepEqual(contentOf(file), Buffer.from(content));
  });
}

test('FileObject.close() may be called again', () => {
  using repository = new Handmade('bare-user-only');
  repository.put('file', some, 'hello');
  const before = openDescriptors();
  const file = openLocalRepository(repository.path).openFile(some);
  assert.equal(openDescriptors(), before + 1);
  file.close();
  file.close();
  assert.equal(openDescriptors(), before);
});

test('openFile() of a bare-user repository needs user.ostreemeta, of a file or symlink', () => {
  using repository = new Handmade('bare-user');
  repository.put('file', some, 'hello\0ignored');
  const open = (xattrs: XattrReader) => openLocalRepository(repository.path, { xattrs }).openFile(some);
  assert.throws(() => open(none), { code: 'CORRUPT', message: /has no extended attribute user\.ostreemeta/ });
  const bad = { code: 'FORMAT', message: new RegExp(`user\\.ostreemeta of ${some}`) };
  assert.throws(() => open(fixedXattrs({ 'user.ostreemeta': new Uint8Array(5) })), bad);
  assert.throws(() => open(fixedXattrs({ 'user.ostreemeta': ostreeMeta(0o40755) })), bad);
  using symlink = open(fixedXattrs({ 'user.ostreemeta': ostreeMeta(0o120777) }));
  assert.deepEqual(symlink.header, { uid: 1, gid: 2, mode: 0o120777, symlinkTarget: 'hello', xattrs: [] });
  assert.equal(symlink.size, 0);
  using file = open(fixedXattrs({ 'user.ostreemeta': ostreeMeta(0o104755) }));
  assert.equal(file.header.mode, 0o104755);
  assert.equal(file.size, 13);
});

for (const [name, target] of [
  ['an empty target', ''],
  ['a target that is not UTF-8', Buffer.from([0xff])],
  ['a target of 4096 bytes', 'x'.repeat(4096)],
] as const) {
  test(`openFile() refuses a bare-user symlink with ${name}`, () => {
    using repository = new Handmade('bare-user');
    repository.put('file', some, target);
    const xattrs = fixedXattrs({ 'user.ostreemeta': ostreeMeta(0o120777) });
    const source = openLocalRepository(repository.path, { xattrs });
    assert.throws(() => source.openFile(some), { code: 'FORMAT', field: 'symlinkTarget' });
  });
}

test('openFile() refuses modes that a bare-user-only repository cannot have', () => {
  using repository = new Handmade('bare-user-only');
  const path = repository.pathOf('file', some);
  writeFileSync(path, 'hello');
  chmodSync(path, 0o4757);
  assert.throws(() => openLocalRepository(repository.path).openFile(some), {
    code: 'CORRUPT',
    message: `Content object ${some}: invalid mode 04757 with bits 04002`,
  });
});

test('openFile() of a bare repository sorts the xattrs of the inode and leaves out user.ostreemeta', () => {
  using repository = new Handmade('bare');
  repository.put('file', some, 'hello');
  const value = Buffer.from('v');
  const xattrs = fixedXattrs({ 'user.b': value, 'user.ostreemeta': value, 'security.a': value });
  using file = openLocalRepository(repository.path, { xattrs }).openFile(some);
  assert.deepEqual(
    file.header.xattrs.map(({ name }) => name),
    ['security.a', 'user.b'],
  );
});

test('openFile() of a bare repository with disable-xattrs reads none', () => {
  using repository = new Handmade('bare', 'disable-xattrs=true\n');
  repository.put('file', some, 'hello');
  using file = openLocalRepository(repository.path).openFile(some);
  assert.deepEqual(file.header.xattrs, []);
});

test('openFile() of a bare-split-xattrs repository needs a file-xattrs-link that decodes', () => {
  using repository = new Handmade('bare-split-xattrs');
  repository.put('file', some, 'hello');
  const source = openLocalRepository(repository.path);
  assert.throws(() => source.openFile(some), { code: 'CORRUPT', message: /file-xattrs-link does not exist/ });
  repository.put('file-xattrs-link', some, 'nonsense');
  assert.throws(() => source.openFile(some), { code: 'FORMAT', message: new RegExp(`file-xattrs of ${some}`) });
  const xattrs = [{ name: 'user.a', value: new Uint8Array([1]) }];
  repository.put('file-xattrs-link', some, encodeXattrs(xattrs));
  using file = source.openFile(some);
  assert.deepEqual(file.header.xattrs, xattrs);
});

test('decoders never mistake a dirmeta for something else', () => {
  using repository = new Handmade();
  repository.put('file', some, encodeDirMeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] }));
  assert.throws(() => openLocalRepository(repository.path).openFile(some), { code: 'FORMAT' });
});

test('a repository of another user is read by who may not keep its access times', { skip: needs('root') }, () => {
  using repository = new Handmade();
  chmodSync(repository.path, 0o755);
  repository.put('dirtree', some, 'hello');
  const source = openLocalRepository(repository.path);
  process.seteuid!(65534);
  try {
    assert.equal(Buffer.from(source.readObject('dirtree', some)).toString(), 'hello');
    assert.throws(() => source.readObject('dirmeta', some), { code: 'NOT_FOUND' });
  } finally {
    process.seteuid!(0);
  }
});
