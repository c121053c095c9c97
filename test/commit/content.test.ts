import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CfsError } from '../../bytes/errors.ts';
import { checksumOf, type OstreeChecksum } from '../../ostree/checksum.ts';
import { CommitContent, encodeContent, type StoredObject } from '../../src/commit/content.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { decodeSplitstream, readInlineContent } from '../../splitstream/read.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { goldenObjects } from '../ostree/golden.ts';
import { expected, fixture, goldenNames } from '../pull/support.ts';

const id = (byte: number): ObjectId => byte.toString(16).padStart(2, '0').repeat(32) as ObjectId;
const checksum = (first: number, last = 0): OstreeChecksum =>
  Buffer.from([first, ...Array.from({ length: 30 }, () => 7), last]).toString('hex') as OstreeChecksum;

/** A content of three objects: one inline, one with an object, and the commit, whose ids share a bucket in part. */
const three = new Map<OstreeChecksum, StoredObject>([
  [checksum(0x10, 2), { data: Buffer.from('a commit'), object: undefined }],
  [checksum(0x10, 1), { data: Buffer.from('header'), object: id(9) }],
  [checksum(0xff), { data: Buffer.from('inline and so on'), object: undefined }],
]);
const commit = checksum(0x10, 2);

function sorted(objects: ReadonlyMap<OstreeChecksum, StoredObject>): [OstreeChecksum, string, ObjectId | undefined][] {
  return [...objects]
    .map(([name, { data, object }]): [OstreeChecksum, string, ObjectId | undefined] => [
      name,
      Buffer.from(data).toString('hex'),
      object,
    ])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test('encodeContent() lays out header, buckets, ids, infos and data as the table says', () => {
  const { content, objectRefs } = encodeContent(commit, three);
  assert.deepEqual(objectRefs, [id(9)]);
  const view = new DataView(content.buffer, content.byteOffset);
  const u32 = (at: number): number => view.getUint32(at, true);
  assert.equal(content.length, 1032 + 3 * 44 + 8 + 8 + 16);
  assert.deepEqual([u32(0), u32(4)], [1, 0]);
  assert.deepEqual(
    [u32(8), u32(8 + 4 * 0x0f), u32(8 + 4 * 0x10), u32(8 + 4 * 0xfe), u32(8 + 4 * 0xff)],
    [0, 0, 2, 2, 3],
  );
  const infos = Array.from({ length: 9 }, (_, i) => u32(1032 + 96 + 4 * i));
  assert.deepEqual(infos, [0, 6, 0, 1, 8, 0xffff_ffff, 2, 16, 0xffff_ffff]);
  assert.equal(Buffer.from(content.subarray(1032 + 132)).toString('latin1'), 'header\0\0a commitinline and so on');
});

test('CommitContent tells a partial commit by its flag alone', () => {
  for (const partial of [false, true]) {
    const { content, objectRefs } = encodeContent(commit, three, partial);
    assert.equal(content[4], Number(partial));
    assert.equal(new CommitContent(content, objectRefs).partial, partial);
    content[4] = 0xfe | Number(partial);
    content[7] = 0xff;
    assert.equal(new CommitContent(content, objectRefs).partial, partial);
  }
});

test('encodeContent() names an object once that several files have', () => {
  const { content, objectRefs } = encodeContent(
    commit,
    new Map([...three, [checksum(0x20), { data: Buffer.alloc(3), object: id(9) }]]),
  );
  assert.deepEqual(objectRefs, [id(9)]);
  assert.equal(new CommitContent(content, objectRefs).get(checksum(0x20))?.object, id(9));
});

const objectsArbitrary = fc
  .uniqueArray(
    fc.tuple(
      // Few first bytes, so that buckets hold several; few last ones, so that there are neighbours.
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 3 })).map(([a, b]) => checksum(a, b)),
      fc.uint8Array({ maxLength: 40 }),
      fc.option(fc.integer({ min: 0, max: 3 }).map(id), { nil: undefined }),
    ),
    { minLength: 1, maxLength: 20, selector: ([name]) => name },
  )
  .map((all) => new Map(all.map(([name, data, object]) => [name, { data, object }] as const)));

test('CommitContent gives back what encodeContent() was given, and nothing else', () => {
  fc.assert(
    fc.property(objectsArbitrary, fc.nat(), fc.integer({ min: 0, max: 255 }), (objects, pick, other) => {
      const names = [...objects.keys()];
      const chosen = names[pick % names.length]!;
      const { content, objectRefs } = encodeContent(chosen, objects);
      // At an odd place in a larger buffer too: nothing may depend on the alignment.
      const moved = Buffer.alloc(content.length + 3).subarray(3);
      moved.set(content);
      const decoded = new CommitContent(moved, objectRefs);
      assert.equal(decoded.commit, chosen);
      assert.equal(decoded.size, objects.size);
      assert.deepEqual(sorted(new Map(decoded.entries())), sorted(objects));
      for (const [name, { data, object }] of objects) {
        const found = decoded.get(name);
        assert.deepEqual([Buffer.from(found!.data), found!.object], [Buffer.from(data), object]);
      }
      const absent = checksum(other, 4);
      assert.equal(decoded.get(absent), undefined);
      const again = encodeContent(chosen, new Map(decoded.entries()));
      assert.deepEqual(Buffer.from(again.content), Buffer.from(content));
    }),
    { numRuns: Math.min(fuzzRuns, 2000) },
  );
});

describe('CommitContent of the streams of composefs-rs', () => {
  for (const name of goldenNames) {
    test(`finds every object of the golden commit ${name}, and encodeContent() gives the same bytes`, () => {
      const stream = decodeSplitstream(readFileSync(fixture(`streams/${name}.splitstream`)));
      const bytes = readInlineContent(stream);
      assert.equal(bytes.length, expected.streams[name]!.content_size);
      assert.equal(checksumOf(bytes), expected.streams[name]!.content_sha256);
      const content = new CommitContent(bytes, stream.objectRefs as ObjectId[]);
      assert.equal(content.commit, expected.commits[name]);
      const objects = new Map(content.entries());
      for (const checksum of objects.keys()) assert.notEqual(content.get(checksum), undefined);
      for (const type of ['file', 'dirtree', 'dirmeta', 'commit'] as const) {
        for (const golden of goldenObjects(type)) {
          assert.equal(content.get(golden.checksum) !== undefined, objects.has(golden.checksum));
        }
      }
      const again = encodeContent(content.commit, objects);
      assert.deepEqual(again.objectRefs, stream.objectRefs);
      assert(Buffer.from(again.content).equals(bytes));
    });
  }
});

/** A valid content with some of its words replaced: [offset, value]. */
function altered(...words: readonly (readonly [at: number, value: number])[]): Uint8Array {
  const { content } = encodeContent(commit, three);
  const view = new DataView(content.buffer, content.byteOffset);
  for (const [at, value] of words) view.setUint32(at, value, true);
  return content;
}
const cut = (length: number): Uint8Array => altered().subarray(0, length);
const infoAt = 1032 + 96;
/** Every bucket from 0x10 on, and from 0xff on, ends at n more. */
const moreIds = (n: number): Uint8Array =>
  altered(...Array.from({ length: 256 }, (_, b) => [8 + 4 * b, (b < 0x10 ? 0 : 2) + (b === 255 ? n : 0)] as const));

const corrupt: readonly (readonly [string, Uint8Array, string])[] = [
  ['no bytes', new Uint8Array(0), 'buckets'],
  ['a header only', cut(8), 'buckets'],
  ['buckets that are cut', cut(1031), 'buckets'],
  ['ids that are cut', cut(1032 + 95), 'ids'],
  ['infos that are cut', cut(infoAt + 35), 'ids'],
  ['data that are cut', cut(altered().length - 1), 'object info'],
  ['no data', cut(infoAt + 36), 'object info'],
  ['decreasing buckets', altered([8 + 4 * 0x11, 1]), 'buckets'],
  ['a count past the end', moreIds(0x7fff_ffff), 'ids'],
  ['the greatest count', moreIds(0xffff_fffd), 'ids'],
  ['a count smaller than there are', altered([8 + 4 * 255, 2]), 'object info'],
  ['no objects', altered(...Array.from({ length: 256 }, (_, b) => [8 + 4 * b, 0] as const)), 'commitIndex'],
  ['a commit index past the end', altered([0, 3]), 'commitIndex'],
  ['the greatest commit index', altered([0, 0xffff_ffff]), 'commitIndex'],
  ['data past the end', altered([infoAt + 24, 4]), 'object info'],
  ['the greatest data offset', altered([infoAt, 0xffff_ffff]), 'object info'],
  ['the greatest data length', altered([infoAt + 4, 0xffff_ffff]), 'object info'],
  ['an object ref past the end', altered([infoAt + 8, 1]), 'object info'],
  ['the greatest object ref', altered([infoAt + 8, 0xffff_fffe]), 'object info'],
  ['ids in the wrong order', altered([1032 + 28, 0x0807_0707]), 'ids'],
  ['an id twice', altered([1032 + 28, 0x0207_0707]), 'ids'],
  ['an id in the wrong bucket', altered([1032 + 64, 0x0707_0711]), 'ids'],
];

describe('CommitContent refuses', () => {
  for (const [name, bytes, field] of corrupt) {
    test(name, () => {
      assert.throws(
        () => new CommitContent(bytes, [id(9)]),
        (error: CfsError & { field: string }) => {
          assert.equal(error.code, 'FORMAT');
          assert.match(error.message, /^Invalid commit stream: /);
          assert.equal(error.field, field, error.message);
          return true;
        },
      );
    });
  }
});

/** Decodes and uses everything; only a CfsError may come of it. */
function exercise(bytes: Uint8Array, objectRefs: readonly ObjectId[]): void {
  try {
    const content = new CommitContent(bytes, objectRefs);
    for (const [name, { data }] of content.entries()) {
      assert(data.length <= bytes.length);
      assert.notEqual(content.get(name), undefined);
    }
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
  }
}

test('CommitContent of random bytes throws a CfsError or works', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => exercise(bytes, [id(1)])),
    { numRuns: fuzzRuns },
  );
});

test('CommitContent of damaged content throws a CfsError or works', () => {
  const { content, objectRefs } = encodeContent(commit, three);
  const places = fc.oneof(
    fc.integer({ min: 0, max: content.length - 1 }),
    fc.integer({ min: 1032, max: content.length - 1 }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(places, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.nat(content.length),
      (changes, length) => {
        const bytes = Uint8Array.from(content);
        for (const [at, value] of changes) bytes[at] = value;
        exercise(bytes, objectRefs);
        exercise(bytes.subarray(0, length), objectRefs);
      },
    ),
    { numRuns: fuzzRuns },
  );
});
