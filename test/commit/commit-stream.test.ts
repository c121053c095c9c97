import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { commitOfStream, decodeCommitStream, encodeCommitStream, streamName } from '../../src/commit/commit-stream.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { ContentType } from '../../splitstream/format.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { expected, fixture, goldenNames } from '../pull/support.ts';

const golden = (name: string): Buffer => readFileSync(fixture(`streams/${name}.splitstream`));
const three = expected.commits['3']!;
const id = (byte: number, size = 32): ObjectId => byte.toString(16).padStart(2, '0').repeat(size) as ObjectId;

test('commitOfStream() is the inverse of streamName(), and takes nothing else', () => {
  assert.equal(streamName(three), `ostree-commit-${three}`);
  assert.equal(commitOfStream(streamName(three)), three);
  for (const name of [
    three,
    `ostree-commit-${three}0`,
    `ostree-commit-${three.slice(1)}`,
    `ostree-commit-${three.toUpperCase()}`,
    `oci-${three}`,
    '',
  ]) {
    assert.equal(commitOfStream(name), undefined, name);
  }
});

describe('decodeCommitStream() of what composefs-rs wrote', () => {
  for (const name of goldenNames) {
    test(`gives the golden commit ${name}, which encodeCommitStream() writes again`, async () => {
      const commit = expected.commits[name]!;
      const { content, image, images } = decodeCommitStream(golden(name), 'sha256', commit);
      assert.equal(content.commit, commit);
      assert.match(image!, /^[0-9a-f]{64}$/);
      assert.deepEqual(images, [image]);
      const again = await encodeCommitStream('sha256', commit, new Map(content.entries()))([{ id: image! }]);
      const decoded = decodeCommitStream(again, 'sha256', commit);
      assert.equal(decoded.image, image);
      assert.deepEqual(
        [...decoded.content.entries()].map(([sum, { data, object }]) => [
          sum,
          Buffer.from(data).toString('hex'),
          object,
        ]),
        [...content.entries()].map(([sum, { data, object }]) => [sum, Buffer.from(data).toString('hex'), object]),
      );
    });
  }
});

test('encodeCommitStream() names any number of images, in order', async () => {
  const { content } = decodeCommitStream(golden('single'), 'sha256', expected.commits['single']!);
  const objects = new Map([...content.entries()].map(([sum, { data }]) => [sum, { data, object: undefined }] as const));
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const size = algorithm === 'sha256' ? 32 : 64;
    for (const count of [0, 1, 2, 3]) {
      const ids = Array.from({ length: count }, (_, i) => id(9 - i, size));
      const bytes = await encodeCommitStream(algorithm, content.commit, objects)(ids.map((each) => ({ id: each })));
      const { image, images } = decodeCommitStream(bytes, algorithm, content.commit);
      assert.equal(image, ids[0]);
      assert.deepEqual(images, ids);
    }
  }
});

describe('decodeCommitStream() refuses', () => {
  const cases: readonly (readonly [string, () => unknown, RegExp])[] = [
    [
      'the stream of another commit',
      () => decodeCommitStream(golden('3'), 'sha256', expected.commits['1']!),
      /holds commit f8f33ca0/,
    ],
    ['the other algorithm', () => decodeCommitStream(golden('3'), 'sha512', three), /algorithm/],
    [
      'a stream of another type',
      () =>
        decodeCommitStream(
          stream(0x1234n, (writer) => writer.writeInline(Buffer.alloc(2000))),
          'sha256',
          three,
        ),
      /content/i,
    ],
    [
      'a stream without content',
      () =>
        decodeCommitStream(
          stream(ContentType.ostreeCommit, () => {}),
          'sha256',
          three,
        ),
      /buckets/,
    ],
    ['no bytes', () => decodeCommitStream(new Uint8Array(0), 'sha256', three), /splitstream/],
  ];
  for (const [name, decode, message] of cases) {
    test(name, () => {
      assert.throws(decode, (error: CfsError) => {
        assert.equal(error.code, 'FORMAT');
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

function stream(contentType: bigint, fill: (writer: SplitstreamWriter) => void): Uint8Array {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType });
  fill(writer);
  return writer.finish();
}

test('decodeCommitStream() of damaged streams throws a CfsError or gives a commit', () => {
  const good = golden('single');
  const commit = expected.commits['single']!;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.nat(good.length),
      (changes, length) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        for (const each of [bytes, bytes.subarray(0, length)]) {
          try {
            const { content } = decodeCommitStream(each, 'sha256', commit);
            for (const [sum] of content.entries()) content.get(sum satisfies OstreeChecksum);
          } catch (error) {
            if (!(error instanceof CfsError)) throw error;
          }
        }
      },
    ),
    { numRuns: Math.min(fuzzRuns, 3000) },
  );
});
