/** Hashing of all objects on all threads, and the sums of their contents. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkJob } from '../../src/repository/check-job.ts';
import { checkObjects } from '../../src/repository/check-threads.ts';
import { ContentSumsBuilder, sumsOf } from '../../src/repository/content-sums.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { findObject, listObjects, objectAt, objectCount } from '../../src/repository/object-table.ts';
import { objectFile } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { HashAlgorithm, ObjectId } from '../../src/verity/object-id.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { freshRepository } from './support.ts';

function none(path: string): never {
  throw new Error(`${path} is no object`);
}

async function filled(algorithm: HashAlgorithm, contents: Iterable<Uint8Array>): Promise<string> {
  const path = freshRepository(algorithm);
  using repository = await Repository.open(path);
  using transaction = await repository.begin();
  for (const content of contents) transaction.storeBytes(content);
  await transaction.commit();
  return path;
}

function sha256(...parts: readonly Uint8Array[]): string {
  return createHash('sha256').update(Buffer.concat(parts)).digest('hex');
}

for (const algorithm of ['sha256', 'sha512'] as const) {
  test(`checkRepository() finds every damaged ${algorithm} object on all threads, in the order of their names`, async () => {
    const contents = Array.from({ length: 120 }, (_, i) => Buffer.alloc(1_000_000 + i, `${i}`));
    const path = await filled(algorithm, contents);
    const table = listObjects(path, algorithm, none);
    const bad = [0, 3, 50, 51, 118, 119].map((i) => objectAt(table, i));
    for (const id of bad) writeFileSync(objectFile({ path, algorithm, secure: false }, id), 'bad');
    using repository = await Repository.open(path);
    const { problems, objectsChecked, objectsCorrupted } = await checkRepository(repository);
    assert.deepEqual(
      problems.map((problem) => [problem.kind, problem.path.replaceAll(/^objects|\//g, '')]),
      bad.map((id) => ['object-digest-mismatch', id]),
    );
    assert.deepEqual([objectsChecked, objectsCorrupted], [120, 6]);
  });
}

test('checkRepository() ends soon after its signal, whatever it hashes', async () => {
  const path = await filled('sha512', [Buffer.alloc(200_000_000, 1), Buffer.alloc(200_000_000, 2)]);
  using repository = await Repository.open(path);
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 120);
  await assert.rejects(checkRepository(repository, { signal: controller.signal }), {
    code: 'CANCELLED',
    cause: reason,
  });
  // The lock is free.
  (await repository.exclusive({ lockTimeout: 0 }))();
});

test('checkObjects() computes any number of sums of a content with what stands in front of it', async () => {
  const contents = ['one', 'two', 'three'].map((text) => Buffer.alloc(300_000, text));
  const path = await filled('sha256', contents);
  const table = listObjects(path, 'sha256', none);
  const builder = new ContentSumsBuilder(table);
  const wrong = new Map<number, string>();
  using repository = await Repository.open(path);
  using transaction = await repository.begin();
  for (const [i, content] of contents.entries()) {
    const id = transaction.storeBytes(content);
    for (let n = 0; n < 40 * i; n++) {
      const head = Buffer.from(`head ${n}`);
      const sum = sha256(head, content);
      if (n % 10 !== 7) builder.add(id, head, sum);
      else wrong.set(builder.add(id, head, sha256(content, head))!, sum);
    }
  }
  const findings = await checkObjects(checkJob(path, false, table, builder.finish()), {});
  assert.deepEqual(
    new Map(findings.map((each) => ('position' in each ? [each.position, each.actual] : [0, '']))),
    wrong,
  );
});

test('ContentSumsBuilder keeps every sum once, and finds it again', () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const entries = fc.array(fc.record({ object: fc.nat(5), sum: fc.nat(5), head: fc.uint8Array({ maxLength: 20 }) }));
  fc.assert(
    fc.property(fc.uniqueArray(digest, { minLength: 4, maxLength: 4, selector: String }), entries, (digests, told) => {
      const ids = digests.map((each) => Buffer.from(each).toString('hex') as ObjectId).toSorted();
      const shared = new SharedArrayBuffer(4 * 32);
      Buffer.from(shared).set(Buffer.from(ids.join(''), 'hex'));
      const table = { algorithm: 'sha256', digests: shared } as const;
      assert.equal(objectCount(table), 4);
      for (const [i, id] of ids.entries()) assert.deepEqual([findObject(table, id), objectAt(table, i)], [i, id]);
      const builder = new ContentSumsBuilder(table);
      const name = (n: number): string => String(n).repeat(64);
      const places = new Map<string, number | undefined>();
      for (const { object, sum, head } of told) {
        const id = ids[object] ?? (`${'f'.repeat(63)}0` as ObjectId);
        const key = `${object} ${sum} ${Buffer.from(head).toString('hex')}`;
        const place = builder.add(id, head, name(sum));
        assert.equal(place === undefined, object > 3);
        places.set(key, place);
      }
      const sums = builder.finish();
      for (const [key, place] of places) {
        const [object, sum, head = ''] = key.split(' ');
        const id = ids[Number(object)];
        if (id !== undefined) assert.equal(builder.add(id, Buffer.from(head, 'hex'), name(Number(sum))), place);
      }
      const found = ids.flatMap((_, i) =>
        [...sumsOf(sums, i)].map(({ sum, head }) => `${i} ${sum[0]} ${Buffer.from(head).toString('hex')}`),
      );
      const wanted = [...places].filter(([, place]) => place !== undefined).map(([key]) => key);
      assert.deepEqual(found.toSorted(), wanted.toSorted());
    }),
    { numRuns: fuzzRuns },
  );
});
