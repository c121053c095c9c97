import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeSplitstream } from '../../splitstream/read.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { hasImage, listImages, resolveImage } from '../../src/repository/images.ts';
import { ObjectWriter } from '../../src/repository/object-writer.ts';
import { objectFile, objectSize, openObject, readObject } from '../../src/repository/objects.ts';
import { listRefs, readRef, removeRef } from '../../src/repository/refs.ts';
import { Repository } from '../../src/repository/repository.ts';
import { findStream, listStreams, readStream, streamContent } from '../../src/repository/streams.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { freshRepository } from './support.ts';

const content = Buffer.from('content of an object that is large enough');
const id = verityDigest('sha256', content);

async function open(): Promise<Repository> {
  return Repository.open(freshRepository());
}

test('Transaction makes links of the exact text, after commit only', async () => {
  using repository = await open();
  const { path } = repository;
  const transaction = await repository.begin();
  assert.equal(transaction.storeBytes(content), id);
  transaction.linkStream('name', id);
  transaction.linkImage(id);
  transaction.linkRef('streams', 'ostree/a%2Fb', 'name');
  transaction.linkRef('images', 'my', id);
  assert.equal(existsSync(join(path, 'streams')), false);
  assert.equal(objectSize(repository, id), content.length);
  await transaction.commit();
  const object = `../objects/${id.slice(0, 2)}/${id.slice(2)}`;
  assert.equal(readlinkSync(join(path, 'streams/name')), object);
  assert.equal(readlinkSync(join(path, 'images', id)), object);
  assert.equal(readlinkSync(join(path, 'streams/refs/ostree/a%2Fb')), '../../name');
  assert.equal(readlinkSync(join(path, 'images/refs/my')), `../${id}`);
  assert.equal(statSync(objectFile(repository, id)).mode & 0o777, 0o644);
  assert.deepEqual(readdirSync(path).toSorted(), ['images', 'meta.json', 'objects', 'streams']);

  assert.equal(findStream(repository, 'name'), id);
  assert.equal(findStream(repository, 'other'), undefined);
  assert.deepEqual(listStreams(repository), [{ name: 'name', id }]);
  assert.deepEqual(listImages(repository), [id]);
  assert.equal(hasImage(repository, id), true);
  for (const name of [id, 'my', 'refs/my']) assert.equal(resolveImage(repository, name), id);
  assert.throws(() => resolveImage(repository, 'refs/other'), { name: 'NotFoundError' });
  assert.deepEqual(listRefs(repository, 'streams'), [{ ref: 'ostree/a%2Fb', target: 'name' }]);
  assert.deepEqual(listRefs(repository, 'streams', 'ostree'), [{ ref: 'a%2Fb', target: 'name' }]);
  assert.deepEqual(listRefs(repository, 'streams', 'oci'), []);
  assert.equal(readRef(repository, 'images', 'my'), id);
  assert.equal(readRef(repository, 'images', 'my/below'), undefined);
  removeRef(repository, 'images', 'my');
  assert.throws(() => removeRef(repository, 'images', 'my'), { name: 'NotFoundError' });
});

test('Transaction.commit() replaces links, and refuses what is no link', async () => {
  using repository = await open();
  const second = verityDigest('sha256', Buffer.from('second'));
  for (const bytes of [content, Buffer.from('second')]) {
    const transaction = await repository.begin({ fsync: 'full' });
    transaction.linkStream('name', transaction.storeBytes(bytes));
    transaction.linkRef('streams', 'a/b', 'name');
    await transaction.commit();
  }
  assert.equal(findStream(repository, 'name'), second);
  mkdirSync(join(repository.path, 'streams/directory'));
  writeFileSync(join(repository.path, 'streams/file'), '');
  for (const name of ['directory', 'file']) {
    const transaction = await repository.begin();
    transaction.linkStream(name, transaction.storeBytes(content));
    await assert.rejects(transaction.commit(), { code: 'CONFLICT' });
    await assert.rejects(transaction.commit(), /has ended/);
  }
  assert.deepEqual(
    readdirSync(repository.path).filter((name) => name.startsWith('.symlink')),
    [],
  );
});

test('Transaction.linkRef() refuses a ref to nothing', async () => {
  using repository = await open();
  using transaction = await repository.begin();
  assert.throws(() => transaction.linkRef('streams', 'r', 'absent'), { code: 'NOT_FOUND' });
  assert.throws(() => transaction.linkRef('images', 'r', id), { code: 'NOT_FOUND' });
  assert.throws(() => transaction.linkStream('../x', id), { code: 'USAGE' });
});

test('a Transaction that is dropped leaves its objects and no links', async () => {
  using repository = await open();
  {
    using transaction = await repository.begin();
    transaction.linkStream('name', transaction.storeBytes(content));
  }
  assert.equal(findStream(repository, 'name'), undefined);
  assert.equal(objectSize(repository, id), content.length);
});

test('readObject() and openObject() name a missing object, and readObject() finds a damaged one', async () => {
  using repository = await open();
  assert.throws(() => openObject(repository, id), { name: 'NotFoundError' });
  await (await repository.begin()).commit();
  const transaction = await repository.begin();
  transaction.storeBytes(content);
  await transaction.commit();
  assert.deepEqual(readObject(repository, id), content);
  assert.throws(() => readObject(repository, id, { limit: 3 }), { code: 'LIMIT' });
  writeFileSync(objectFile(repository, id), Buffer.alloc(content.length));
  assert.throws(() => readObject(repository, id), { name: 'ChecksumError', expected: id });
});

test('readStream() and streamContent() give back a stream with objects', async () => {
  using repository = await open();
  const transaction = await repository.begin();
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
  writer.writeInline(Buffer.from('before '));
  writer.writeExternal(transaction.storeBytes(content), content.length);
  transaction.linkStream('s', transaction.storeBytes(writer.finish()));
  await transaction.commit();
  const stream = readStream(repository, 's', { contentType: 7n });
  assert.equal(Buffer.concat([...streamContent(repository, stream)]).toString(), `before ${content.toString()}`);
  assert.throws(() => readStream(repository, 's', { contentType: 8n }), { name: 'FormatError' });
  assert.throws(() => readStream(repository, 't'), { name: 'NotFoundError' });
  assert.ok(decodeSplitstream(readObject(repository, findStream(repository, 's') ?? id)));
  symlinkSync('nowhere', join(repository.path, 'streams/odd'));
  assert.throws(() => findStream(repository, 'odd'), { code: 'CORRUPT' });
});

const options = { algorithm: 'sha256', secure: false, suspect: false, fsync: false } as const;

function store(writer: ObjectWriter, bytes: Buffer): 'stored' | 'present' {
  const fd = writer.begin();
  writeSync(fd, bytes);
  return writer.commit(fd, verityDigest('sha256', bytes), bytes.length);
}

test('ObjectWriter.commit() stores once, replaces an object of wrong size, and abort() leaves nothing', () => {
  const objects = join(freshRepository(), 'objects');
  using writer = new ObjectWriter({ ...options, objects });
  const file = join(objects, id.slice(0, 2), id.slice(2));
  assert.equal(writer.has(id, content.length), false);
  assert.equal(store(writer, content), 'stored');
  assert.equal(store(writer, content), 'present');
  assert.equal(writer.has(id, content.length), true);
  assert.equal(writer.has(id, content.length + 1), false);
  truncateSync(file, 3);
  assert.equal(writer.has(id, content.length), false);
  assert.equal(store(writer, content), 'stored');
  assert.deepEqual(readFileSync(file), content);
  writer.abort(writer.begin());
  assert.deepEqual(readdirSync(objects), [id.slice(0, 2)]);
});

test('ObjectWriter hashes existing objects while they are suspect, and replaces bad ones', () => {
  const objects = join(freshRepository(), 'objects');
  const file = join(objects, id.slice(0, 2), id.slice(2));
  using trusting = new ObjectWriter({ ...options, objects });
  store(trusting, content);
  writeFileSync(file, Buffer.alloc(content.length));
  assert.equal(trusting.has(id, content.length), true);
  using suspicious = new ObjectWriter({ ...options, objects, suspect: true });
  assert.equal(suspicious.has(id, content.length), false);
  assert.equal(suspicious.store(content, id), 'stored');
  assert.equal(suspicious.store(content, id), 'present');
  assert.deepEqual(readFileSync(file), content);
});

test('ObjectWriter gives objects mode 0644 whatever the umask', () => {
  const objects = join(freshRepository(), 'objects');
  const before = process.umask(0o077);
  try {
    using writer = new ObjectWriter({ ...options, objects });
    store(writer, content);
  } finally {
    process.umask(before);
  }
  assert.equal(statSync(join(objects, id.slice(0, 2), id.slice(2))).mode & 0o777, 0o644);
});

test('ObjectWriter works with named files where unnamed ones are not supported', () => {
  const objects = join(freshRepository(), 'objects');
  using writer = new ObjectWriter({ ...options, objects });
  writer.useNamedFiles();
  const fd = writer.begin();
  assert.match(readdirSync(objects).join(), /^\.tmp-object-[A-Za-z0-9]{12}$/);
  writer.abort(fd);
  assert.equal(store(writer, content), 'stored');
  assert.equal(store(writer, content), 'present');
  truncateSync(join(objects, id.slice(0, 2), id.slice(2)), 1);
  assert.equal(store(writer, content), 'stored');
  assert.deepEqual(readdirSync(objects), [id.slice(0, 2)]);
});
