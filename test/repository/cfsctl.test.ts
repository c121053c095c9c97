/** Repositories that cfsctl made, read by us, and the other way round. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ContentType } from '../../splitstream/format.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { isClean } from '../../src/repository/fsck-report.ts';
import { collectGarbage, type GcReport } from '../../src/repository/gc.ts';
import { listImages, resolveImage } from '../../src/repository/images.ts';
import { readObject } from '../../src/repository/objects.ts';
import { listRefs, removeRef } from '../../src/repository/refs.ts';
import { Repository } from '../../src/repository/repository.ts';
import { listStreams, readStream, streamContent } from '../../src/repository/streams.ts';
import type { HashAlgorithm } from '../../src/verity/object-id.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { cfsctl, freshPath, freshRepository, skipWithoutCfsctl } from './support.ts';

const skip = skipWithoutCfsctl;
const algorithms: readonly HashAlgorithm[] = ['sha256', 'sha512'];

function run(path: string, ...args: string[]): Buffer {
  return execFileSync(cfsctl ?? '', ['--repo', path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A repository with an ostree commit without xattrs (cfsctl images have wrong names for those) and the image of a directory, all by cfsctl. */
function theirs(algorithm: HashAlgorithm): string {
  const path = freshPath();
  execFileSync(cfsctl ?? '', ['init', '--insecure', '--algorithm', `fsverity-${algorithm}-12`, path]);
  const source = freshPath();
  cpSync(new URL('../../fixtures/ostree-repo', import.meta.url), source, { recursive: true });
  // cfsctl wants the folder, which git cannot hold.
  mkdirSync(join(source, 'tmp'), { recursive: true });
  run(path, 'ostree', 'pull-local', source, 'golden/plain');
  const tree = freshPath();
  for (const name of ['usr', 'boot', 'sysroot']) mkdirSync(join(tree, name), { recursive: true });
  writeFileSync(join(tree, 'usr/file'), randomBytes(5000));
  run(path, 'create-image', tree, 'dir/image');
  return path;
}

function files(path: string): Set<string> {
  return new Set(readdirSync(path, { recursive: true, encoding: 'utf8' }));
}

function gcText({ objectsRemoved, bytesRemoved, imagesPruned, streamsPruned }: GcReport): string {
  const lines = [`Objects: ${objectsRemoved} removed (${bytesRemoved} bytes)`];
  if (imagesPruned + streamsPruned > 0) lines.push(`Pruned symlinks: ${imagesPruned} images, ${streamsPruned} streams`);
  return `${lines.join('\n')}\n`;
}

for (const algorithm of algorithms) {
  test(
    `a ${algorithm} repository of cfsctl reads clean, and its streams have the content that cfsctl cat prints`,
    { skip },
    async () => {
      const path = theirs(algorithm);
      using repository = await Repository.open(path);
      const report = await checkRepository(repository);
      assert.ok(isClean(report), JSON.stringify(report.problems));
      const [stream] = listStreams(repository);
      assert.ok(stream);
      const content = [
        ...streamContent(repository, readStream(repository, stream.name, { contentType: ContentType.ostreeCommit })),
      ];
      assert.deepEqual(Buffer.concat(content), run(path, 'cat', stream.name));
      assert.deepEqual(listRefs(repository, 'streams', 'ostree'), [{ ref: 'golden%2Fplain', target: stream.name }]);
      assert.equal(resolveImage(repository, 'refs/dir/image'), listRefs(repository, 'images')[0]?.target);
    },
  );

  test(`collectGarbage() removes what cfsctl gc removes from a ${algorithm} repository`, { skip }, async () => {
    const path = theirs(algorithm);
    const copy = freshPath();
    execFileSync('cp', ['-a', path, copy]);
    using repository = await Repository.open(path);
    assert.equal(gcText(await collectGarbage(repository)), run(copy, 'gc').toString());
    using twin = await Repository.open(copy);
    for (const each of [repository, twin]) removeRef(each, 'streams', 'ostree/golden%2Fplain');
    const image = resolveImage(repository, 'refs/dir/image');
    removeRef(twin, 'images', 'dir/image');
    removeRef(repository, 'images', 'dir/image');
    const roots = { roots: [image] };
    const dry = await collectGarbage(repository, { ...roots, dryRun: true });
    assert.equal(gcText(dry), gcText(await collectGarbage(repository, roots)));
    twin.close();
    assert.equal(gcText(dry), run(copy, 'gc', '--root', image).toString());
    assert.deepEqual(files(path), files(copy));
  });

  test(`cfsctl reads what a Transaction wrote into a ${algorithm} repository`, { skip }, async () => {
    const path = freshRepository(algorithm);
    const repository = await Repository.open(path);
    const transaction = await repository.begin();
    const large = randomBytes(300_000);
    const writer = new SplitstreamWriter({ algorithm, contentType: ContentType.ociLayer });
    writer.writeInline(Buffer.from('head'));
    writer.writeExternal(transaction.storeBytes(large), large.length);
    writer.writeInline(randomBytes(0));
    writer.writeInline(Buffer.from('tail'));
    writer.addNamedRef('composefs.image', transaction.storeBytes(imageFile()));
    transaction.linkStream('name', transaction.storeBytes(writer.finish()));
    const image = verityDigest(algorithm, imageFile());
    transaction.linkImage(image);
    transaction.linkRef('streams', 'x/y', 'name');
    transaction.linkRef('images', 'z', image);
    transaction.storeBytes(Buffer.from('garbage'));
    await transaction.commit();
    assert.deepEqual(listImages(repository), [image]);
    repository.close();
    const expected = Buffer.concat([Buffer.from('head'), large, Buffer.from('tail')]);
    const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    assert.equal(hash(run(path, 'cat', 'name')), hash(expected));
    assert.equal(hash(run(path, 'cat', 'refs/x/y')), hash(expected));
    assert.match(run(path, 'fsck').toString(), /status: ok/);
    assert.match(run(path, 'images', '--json').toString(), new RegExp(image));
    assert.equal(run(path, 'gc').toString(), 'Objects: 1 removed (7 bytes)\n');
  });
}

function imageFile(): Buffer {
  return readFileSync(new URL('../../fixtures/images/empty.v1.erofs', import.meta.url));
}

test('readObject() verifies every object of a cfsctl repository', { skip }, async () => {
  using repository = await Repository.open(theirs('sha256'));
  for (const id of listImages(repository)) assert.equal(verityDigest('sha256', readObject(repository, id)), id);
});
