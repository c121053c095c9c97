import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { imageObjects } from '../../src/erofs/objects.ts';
import { checkRepository, type FsckOptions, type FsckProgress } from '../../src/repository/fsck.ts';
import { formatProblem, formatReport, reportJson, type FsckReport } from '../../src/repository/fsck-report.ts';
import { objectFile } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { findStream } from '../../src/repository/streams.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { cfsctl, freshRepository, skipWithoutCfsctl } from './support.ts';

const data = Buffer.from('content of an object');
const id = verityDigest('sha256', data);
const other = 'ab'.repeat(32) as ObjectId;
const image = readFileSync(new URL('../../fixtures/images/empty.v1.erofs', import.meta.url));
const imageId = verityDigest('sha256', image);

/** A repository with one object, a stream of it, an image, and refs to both. */
async function build(): Promise<string> {
  const path = freshRepository();
  using repository = await Repository.open(path);
  const transaction = await repository.begin();
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
  writer.writeExternal(transaction.storeBytes(data), data.length);
  writer.addNamedRef('composefs.image', transaction.storeBytes(image));
  transaction.linkStream('s', transaction.storeBytes(writer.finish()));
  transaction.linkImage(imageId);
  transaction.linkRef('streams', 'a/b', 's');
  transaction.linkRef('images', 'c', imageId);
  await transaction.commit();
  return path;
}

async function check(path: string, options: FsckOptions = {}): Promise<FsckReport> {
  using repository = await Repository.open(path);
  return checkRepository(repository, options);
}

function store(path: string): { path: string; algorithm: 'sha256'; secure: false } {
  return { path, algorithm: 'sha256', secure: false };
}

/** Puts a stream file into the repository by hand. */
function plant(path: string, file: Uint8Array): void {
  const object = verityDigest('sha256', file);
  const target = objectFile(store(path), object);
  mkdirSync(join(target, '..'), { recursive: true });
  writeFileSync(target, file);
  symlinkSync(`../objects/${object.slice(0, 2)}/${object.slice(2)}`, join(path, 'streams/planted'));
}

function stream(edit: (writer: SplitstreamWriter) => void): Uint8Array {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
  edit(writer);
  return writer.finish();
}

const dataPath = `objects/${id.slice(0, 2)}/${id.slice(2)}`;
const clean = {
  ok: true,
  has_metadata: true,
  objects_checked: 3,
  objects_corrupted: 0,
  streams_checked: 1,
  streams_corrupted: 0,
  images_checked: 1,
  images_corrupted: 0,
  broken_links: 0,
  missing_objects: 0,
  errors: [],
  partial: [],
};

/** `same`: cfsctl counts the same; it says more or less about the rest, or words it otherwise. */
const cases: readonly {
  name: string;
  damage: (path: string) => void;
  problems: readonly (string | RegExp)[];
  counts: Partial<Record<keyof typeof clean, number>>;
  same: boolean;
}[] = [
  { name: 'nothing wrong', damage: () => undefined, problems: [], counts: {}, same: true },
  {
    name: 'an altered object',
    damage: (path) => writeFileSync(join(path, dataPath), Buffer.alloc(data.length)),
    problems: [/^fsck: object-digest-mismatch: objects\/.*: measured [0-9a-f]{64}$/],
    counts: { objects_corrupted: 1 },
    same: true,
  },
  {
    name: 'a missing object',
    damage: (path) => unlinkSync(join(path, dataPath)),
    problems: [`fsck: missing-object-ref: streams/s: ${id}`],
    counts: { objects_checked: 2, missing_objects: 1 },
    same: true,
  },
  {
    name: 'a misnamed object',
    damage: (path) => writeFileSync(join(path, 'objects', id.slice(0, 2), 'name'), ''),
    problems: [/^fsck: object-invalid-name: objects\/..\/name: /],
    counts: { objects_checked: 4, objects_corrupted: 1 },
    same: true,
  },
  {
    name: 'an object whose name is no UTF-8, on which cfsctl gives up',
    damage: (path) => writeFileSync(Buffer.from(`${path}/objects/${id.slice(0, 2)}/\xff`, 'latin1'), ''),
    problems: [/^fsck: object-invalid-name: objects\/..\/\ufffd: /],
    counts: { objects_checked: 4, objects_corrupted: 1 },
    same: false,
  },
  {
    name: 'a file among the streams',
    damage: (path) => writeFileSync(join(path, 'streams/file'), ''),
    problems: ['fsck: entry-not-symlink: streams/file'],
    counts: { streams_checked: 2, streams_corrupted: 1 },
    same: true,
  },
  {
    name: 'dangling links and refs',
    damage: (path) => {
      symlinkSync(`../objects/ab/${other.slice(2)}`, join(path, 'streams/gone'));
      symlinkSync('../../gone', join(path, 'streams/refs/a/gone'));
    },
    problems: ['fsck: broken-symlink: streams/gone', 'fsck: broken-symlink: streams/refs/a/gone'],
    counts: { streams_checked: 2, streams_corrupted: 1, broken_links: 2 },
    same: true,
  },
  {
    name: 'a stream that is none',
    damage: (path) => plant(path, Buffer.from('no stream at all, but long enough for its header')),
    problems: [/^fsck: stream-(open|read)-failed: streams\/planted: Invalid splitstream: magic/],
    counts: { objects_checked: 4, streams_checked: 2, streams_corrupted: 1 },
    same: true,
  },
  {
    name: 'a named ref to nothing',
    damage: (path) =>
      plant(
        path,
        stream((writer) => writer.addNamedRef('n', other)),
      ),
    problems: [`fsck: missing-named-ref: streams/planted: ref n: ${other}`],
    counts: { objects_checked: 4, streams_checked: 2, missing_objects: 1 },
    same: true,
  },
  {
    name: 'a damaged stream section, which cfsctl does not see',
    damage: (path) => {
      const file = stream((writer) => writer.writeInline(Buffer.from('text')));
      // The stream is one chunk of 12 bytes in a raw block; this makes the block header one of the reserved type.
      file.fill(0xff, file.length - 15, file.length - 12);
      plant(path, file);
    },
    problems: [/^fsck: stream-read-failed: streams\/planted: /],
    counts: { objects_checked: 4, streams_checked: 2, streams_corrupted: 1 },
    same: false,
  },
  {
    name: 'a stream size that is not that of its objects',
    damage: (path) =>
      plant(
        path,
        stream((writer) => writer.writeExternal(id, data.length + 1)),
      ),
    problems: [/^fsck: stream-read-failed: streams\/planted: .*stream_size/],
    counts: { objects_checked: 4, streams_checked: 2, streams_corrupted: 1 },
    same: false,
  },
  {
    name: 'a misnamed image',
    damage: (path) => symlinkSync(`../objects/${imageId.slice(0, 2)}/${imageId.slice(2)}`, join(path, 'images', other)),
    problems: [/^fsck: image-invalid: images\/abab/],
    counts: { images_checked: 2, images_corrupted: 1 },
    same: false,
  },
  {
    name: 'an image that is none',
    damage: (path) => symlinkSync(`../${dataPath}`, join(path, 'images', id)),
    problems: [/^fsck: image-invalid: images\//],
    counts: { images_checked: 2, images_corrupted: 1 },
    same: true,
  },
  {
    name: 'a file among the refs',
    damage: (path) => writeFileSync(join(path, 'streams/refs/file'), ''),
    problems: [/^fsck: unexpected-file-type: streams\/refs\/file/],
    counts: {},
    same: true,
  },
  {
    name: 'a ref to a ref',
    damage: (path) => symlinkSync('a/b', join(path, 'streams/refs/c')),
    problems: [/^fsck: stat-failed: streams\/refs\/c/],
    counts: {},
    same: false,
  },
];

for (const { name, damage, problems, counts, same } of cases) {
  test(`checkRepository() finds ${name}`, async () => {
    const path = await build();
    damage(path);
    const report = await check(path);
    const json = reportJson(report);
    const errors = json['errors'] as string[];
    assert.equal(errors.length, problems.length, errors.join('\n'));
    for (const [i, problem] of problems.entries()) {
      if (typeof problem === 'string') assert.equal(errors[i], problem);
      else assert.match(errors[i] ?? '', problem);
    }
    assert.deepEqual(json, { ...clean, ...counts, ok: problems.length === 0, errors });
    if (cfsctl === undefined) return;
    const output = execFileSync(cfsctl, ['--repo', path, 'fsck', '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const theirs = JSON.parse(output) as typeof json & { errors: string[] };
    if (same)
      assert.deepEqual({ ...theirs, errors: kinds(theirs.errors), partial: [] }, { ...json, errors: kinds(errors) });
    else assert.notDeepEqual(theirs, json);
  });
}

/** `fsck: KIND: PATH` of each, sorted; opening and reading a stream are told apart differently. */
function kinds(errors: readonly string[]): string[] {
  return errors
    .map((error) => error.split(': ').slice(0, 3).join(': ').replace('stream-open', 'stream-read'))
    .toSorted();
}

test('checkRepository() finds the missing objects of an image', async () => {
  const path = freshRepository();
  using repository = await Repository.open(path);
  const file = readFileSync(new URL('../../fixtures/images/1.v1.erofs', import.meta.url));
  const transaction = await repository.begin();
  transaction.linkImage(transaction.storeBytes(file));
  await transaction.commit();
  const report = await checkRepository(repository);
  assert.equal(report.missingObjects, imageObjects(file).size);
  assert.ok(report.problems.every(({ kind }) => kind === 'image-missing-object'));
});

test('checkRepository() reports what the caller finds in a stream', async () => {
  const path = await build();
  const seen: [string, bigint][] = [];
  const report = await check(path, {
    streams: {
      check: (name, { contentType }) => {
        seen.push([name, contentType]);
        return ['not as it should be'];
      },
    },
  });
  assert.deepEqual(seen, [['s', 7n]]);
  assert.deepEqual(report.problems.map(formatProblem), ['fsck: stream-read-failed: streams/s: not as it should be']);
});

test('checkRepository() tells its progress, leaves objects out on demand, and can be cancelled', async () => {
  const path = await build();
  const seen: FsckProgress[] = [];
  await check(path, { onProgress: (progress) => seen.push(progress) });
  assert.deepEqual(
    seen.map(({ phase, done, total }) => [phase, done, total]),
    [
      ['objects', 0, 3],
      ['objects', 3, 3],
      ['streams', 1, 1],
      ['images', 1, 1],
    ],
  );
  assert.equal((await check(path, { metadataOnly: true })).objectsChecked, 0);
  await assert.rejects(check(path, { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
});

test('checkRepository() reports meta.json that went bad while it was open', async () => {
  const path = await build();
  using repository = await Repository.open(path);
  writeFileSync(join(path, 'meta.json'), '{');
  assert.equal((await checkRepository(repository)).metadata, 'error');
  Repository.init(path, { resetMetadata: true, algorithm: 'sha512', insecure: true });
  const [problem] = (await checkRepository(repository)).problems;
  assert.equal(
    problem && formatProblem(problem),
    'fsck: metadata-algorithm-mismatch: meta.json: expected sha512, repository opened as sha256',
  );
  unlinkSync(join(path, 'meta.json'));
  assert.equal((await checkRepository(repository)).metadata, 'absent');
});

test('formatReport() prints what cfsctl prints', { skip: skipWithoutCfsctl }, async () => {
  const path = await build();
  const theirs = (): string => {
    try {
      return execFileSync(cfsctl ?? '', ['--repo', path, 'fsck'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  assert.equal(`${formatReport(await check(path))}\n`, theirs());
  unlinkSync(join(path, dataPath));
  symlinkSync('../gone', join(path, 'streams/refs/gone'));
  assert.equal(`${formatReport(await check(path))}\n`, theirs());
});

test('findStream() of a planted stream is its object', async () => {
  const path = await build();
  const file = zstdCompressSync(Buffer.from('x'));
  plant(path, file);
  assert.equal(findStream(store(path), 'planted'), verityDigest('sha256', file));
});
