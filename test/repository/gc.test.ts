import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { imageObjects } from '../../src/erofs/objects.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { listImages } from '../../src/repository/images.ts';
import { objectFile, objectSize } from '../../src/repository/objects.ts';
import { listRefs, removeRef } from '../../src/repository/refs.ts';
import { Repository } from '../../src/repository/repository.ts';
import { listStreams } from '../../src/repository/streams.ts';
import type { Transaction } from '../../src/repository/transaction.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { freshRepository } from './support.ts';

interface Content {
  readonly objects?: readonly string[];
  readonly named?: Readonly<Record<string, ObjectId>>;
}

/** Stores a stream with these objects and named refs; its own object's id is the result. */
function addStream(transaction: Transaction, name: string, { objects = [], named = {} }: Content): ObjectId {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
  for (const object of objects) writer.writeExternal(transaction.storeBytes(Buffer.from(object)), object.length);
  for (const [ref, id] of Object.entries(named)) writer.addNamedRef(ref, id);
  writer.writeInline(Buffer.from(name));
  const id = transaction.storeBytes(writer.finish());
  transaction.linkStream(name, id);
  return id;
}

/**
 * A stream `kept`, which has a ref, names the stream `layer` and an image; the stream `lost` and the object `garbage` are
 * needed by nothing.
 */
async function build(): Promise<{ repository: Repository; image: ObjectId; garbage: ObjectId }> {
  const repository = await Repository.open(freshRepository());
  const transaction = await repository.begin();
  const image = transaction.storeBytes(Buffer.from('an image'));
  transaction.linkImage(image);
  const layer = addStream(transaction, 'layer', { objects: ['one', 'two'] });
  addStream(transaction, 'kept', { objects: ['three'], named: { layer, 'composefs.image': image } });
  addStream(transaction, 'lost', { objects: ['three', 'four'] });
  transaction.linkRef('streams', 'a/b', 'kept');
  const garbage = transaction.storeBytes(Buffer.from('garbage'));
  await transaction.commit();
  return { repository, image, garbage };
}

function countObjects({ path }: Repository): number {
  return readdirSync(join(path, 'objects'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}

test('collectGarbage() keeps what refs reach through streams, and removes the rest', async () => {
  const { repository, image, garbage } = await build();
  using _ = repository;
  assert.equal(countObjects(repository), 9);
  const lostSize =
    objectSize(repository, listStreams(repository).find(({ name }) => name === 'lost')?.id ?? image) ?? 0;
  const expected = {
    objectsRemoved: 3,
    bytesRemoved: 'four'.length + 'garbage'.length + lostSize,
    imagesPruned: 0,
    streamsPruned: 1,
    warnings: [],
  };
  assert.deepEqual(await collectGarbage(repository, { dryRun: true }), { ...expected, dryRun: true });
  assert.equal(countObjects(repository), 9);
  assert.deepEqual(await collectGarbage(repository), { ...expected, dryRun: false });
  assert.equal(objectSize(repository, garbage), undefined);
  assert.deepEqual(
    listStreams(repository).map(({ name }) => name),
    ['kept', 'layer'],
  );
  assert.deepEqual(listImages(repository), [image]);
  assert.equal((await collectGarbage(repository)).objectsRemoved, 0);
  removeRef(repository, 'streams', 'a/b');
  const last = await collectGarbage(repository);
  assert.deepEqual([last.objectsRemoved, last.streamsPruned, last.imagesPruned], [6, 2, 1]);
  assert.equal(countObjects(repository), 0);
});

test('collectGarbage() keeps streams that are named as roots, and refuses unknown ones', async () => {
  const { repository } = await build();
  using _ = repository;
  const report = await collectGarbage(repository, { roots: ['lost'] });
  assert.deepEqual([report.objectsRemoved, report.streamsPruned], [1, 0]);
  await assert.rejects(collectGarbage(repository, { roots: ['a/b'] }), { name: 'NotFoundError' });
});

test('collectGarbage() keeps the files of an image that a ref names', async () => {
  using repository = await Repository.open(freshRepository());
  const image = readFileSync(new URL('../../fixtures/images/1.v1.erofs', import.meta.url));
  const transaction = await repository.begin();
  const id = transaction.storeBytes(image);
  transaction.linkImage(id);
  transaction.linkRef('images', 'one', id);
  await transaction.commit();
  const [file] = imageObjects(image);
  assert.ok(file);
  mkdirSync(join(repository.path, 'objects', file.slice(0, 2)), { recursive: true });
  writeFileSync(objectFile(repository, file), '');
  assert.equal((await collectGarbage(repository)).objectsRemoved, 0);
  removeRef(repository, 'images', 'one');
  const report = await collectGarbage(repository);
  assert.deepEqual([report.objectsRemoved, report.imagesPruned], [2, 1]);
});

test('collectGarbage() removes temporary entries of killed writers, and leaves unknown entries alone', async () => {
  const { repository } = await build();
  using _ = repository;
  const { path } = repository;
  symlinkSync('x', join(path, '.symlink-abcdefghijkl'));
  writeFileSync(join(path, '.cfs-tmp-abcdefghijkl'), '');
  writeFileSync(join(path, 'objects/.tmp-object-abcdefghijkl'), '');
  writeFileSync(join(path, 'note'), '');
  writeFileSync(join(path, 'objects/note'), '');
  mkdirSync(join(path, 'objects/AB'));
  writeFileSync(join(path, 'objects/AB/note'), '');
  mkdirSync(join(path, 'objects/00'), { recursive: true });
  writeFileSync(join(path, 'objects/00/note'), '');
  const { warnings } = await collectGarbage(repository);
  assert.deepEqual(warnings, [`${join(path, 'objects/00/note')} is no object, and stays`]);
  assert.deepEqual(readdirSync(path).toSorted(), ['images', 'meta.json', 'note', 'objects', 'streams']);
  for (const name of ['note', 'AB/note', '00/note']) assert.ok(existsSync(join(path, 'objects', name)), name);
});

test('collectGarbage() only warns of a ref whose target is gone, and removes it', async () => {
  const { repository } = await build();
  using _ = repository;
  symlinkSync('../gone', join(repository.path, 'streams/refs/dangling'));
  const dry = await collectGarbage(repository, { dryRun: true });
  const report = await collectGarbage(repository);
  assert.deepEqual(report.warnings, ['streams/refs/dangling points to gone, which is missing']);
  assert.equal(report.streamsPruned, 2);
  assert.deepEqual({ ...dry, dryRun: false }, report);
  assert.deepEqual(
    listRefs(repository, 'streams').map(({ ref }) => ref),
    ['a/b'],
  );
});

const doubtful: readonly [name: string, damage: (path: string, image: ObjectId) => void][] = [
  ['a file among the streams', (path) => writeFileSync(join(path, 'streams/file'), '')],
  ['a directory among the images', (path) => mkdirSync(join(path, 'images/directory'))],
  ['a file among the refs', (path) => writeFileSync(join(path, 'streams/refs/file'), '')],
  ['a ref to a ref', (path) => symlinkSync('a/b', join(path, 'streams/refs/c'))],
  ['a stream link to something else', (path) => symlinkSync('../meta.json', join(path, 'streams/meta'))],
  ['a stream whose object is missing', (path) => unlinkSync(join(path, 'streams', readLinkTarget(path, 'kept')))],
  ['a stream whose object is damaged', (path) => writeFileSync(join(path, 'streams/kept'), 'damaged')],
  [
    'a root image that is none',
    (path, image) => {
      mkdirSync(join(path, 'images/refs'));
      symlinkSync(`../${image}`, join(path, 'images/refs/bad'));
    },
  ],
  [
    'a name that is not UTF-8',
    (path) => symlinkSync('x', Buffer.concat([Buffer.from(`${path}/streams/`), Buffer.from([0xff])])),
  ],
];

function readLinkTarget(path: string, name: string): string {
  const target = listStreams({ path, algorithm: 'sha256', secure: false }).find((each) => each.name === name)?.id ?? '';
  return `../objects/${target.slice(0, 2)}/${target.slice(2)}`;
}

for (const [name, damage] of doubtful) {
  test(`collectGarbage() removes nothing when it finds ${name}`, async () => {
    const { repository, image } = await build();
    using _ = repository;
    damage(repository.path, image);
    const before = countObjects(repository);
    await assert.rejects(collectGarbage(repository), { code: 'CORRUPT' });
    assert.equal(countObjects(repository), before);
  });
}

test('collectGarbage() of an empty repository, and of one without objects', async () => {
  using repository = await Repository.open(freshRepository());
  const nothing = {
    dryRun: false,
    objectsRemoved: 0,
    bytesRemoved: 0,
    imagesPruned: 0,
    streamsPruned: 0,
    warnings: [],
  };
  assert.deepEqual(await collectGarbage(repository), nothing);
  mkdirSync(join(repository.path, 'objects'));
  assert.deepEqual(await collectGarbage(repository), nothing);
  rmSync(join(repository.path, 'objects'), { recursive: true });
});

test('collectGarbage() stops when it is cancelled', async () => {
  const { repository } = await build();
  using _ = repository;
  await assert.rejects(collectGarbage(repository, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
});
