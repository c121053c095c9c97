/** Pulls of the golden commits against what composefs-rs, mkcomposefs and ostree made of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { storedTree } from '../../src/commit/image.ts';
import { commitOfRef, readCommit } from '../../src/commit/stored.ts';
import { streamName } from '../../src/commit/commit-stream.ts';
import { readObject } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { readStream, streamContent } from '../../src/repository/streams.ts';
import { formatDump } from '../../src/tree/dumpfile-format.ts';
import type { HashAlgorithm, ObjectId } from '../../src/verity/object-id.ts';
import { goldenPath } from '../ostree/golden.ts';
import { freshRepository } from '../repository/support.ts';
import { assertClean, expected, fixture, goldenNames, pull } from './support.ts';

const versions = [0, 1, 2] as const;

/** The image id that others gave, if any did. */
function expectedImage(name: string, algorithm: HashAlgorithm, version: 0 | 1 | 2): string | undefined {
  const byC = algorithm === 'sha256' ? expected.mkcomposefs[name]?.[`v${version}`]?.fsverity_sha256 : undefined;
  return expected.images[name]?.[algorithm][`v${version}`] ?? byC;
}

for (const algorithm of ['sha256', 'sha512'] as const) {
  describe(`pullCommit() into a ${algorithm} repository`, () => {
    for (const name of goldenNames) {
      const commit = expected.commits[name]!;
      test(`gives the golden commit ${name} its images and stream`, async () => {
        const path = freshRepository(algorithm);
        for (const version of versions) {
          const { image } = await pull(path, goldenPath, commit, { erofsVersion: version });
          const wanted = expectedImage(name, algorithm, version);
          if (wanted !== undefined) assert.equal(image, wanted, `image of version ${version}`);
          if (algorithm === 'sha256' && version > 0) compareImage(await Repository.open(path), name, version, image);
        }
        using repository = await Repository.open(path);
        await assertClean(repository);
        const stored = readCommit(repository, commit);
        const dump = formatDump(await storedTree(stored));
        if (algorithm === 'sha256') {
          assert.equal(dump, readFileSync(fixture(`dumps/${name}.dump`), 'utf8'));
          assertContent(repository, name);
        }
        assert.equal(commitOfRef(repository, name), undefined);
      });
    }
  });
}

function compareImage(repository: Repository, name: string, version: number, image: ObjectId): void {
  using _ = repository;
  const wanted = fixture(`images/${name}.v${version}.erofs`);
  if (!existsSync(wanted)) return;
  assert(readFileSync(wanted).equals(readObject(repository, image)), `image of version ${version}`);
}

function assertContent(repository: Repository, name: string): void {
  const hash = createHash('sha256');
  let size = 0;
  for (const piece of streamContent(repository, readStream(repository, streamName(expected.commits[name]!)))) {
    hash.update(piece);
    size += piece.length;
  }
  const wanted = expected.streams[name]!;
  assert.deepEqual([size, hash.digest('hex')], [wanted.content_size, wanted.content_sha256]);
}

test('the images that others made of commits with xattrs are compared too', () => {
  for (const name of ['1', '2', '3']) {
    for (const version of [0, 1] as const) assert.notEqual(expectedImage(name, 'sha256', version), undefined);
  }
});
