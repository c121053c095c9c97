/** Deltas of ours are applied by the real `ostree`, and by ourselves. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { CfsError } from '../../bytes/errors.ts';
import { deltaFolder } from '../../ostree/delta/format.ts';
import { DeltaFileSource } from '../../ostree/delta/file-source.ts';
import { readCommit } from '../../src/commit/stored.ts';
import { createDelta, type CreatedDelta, type CreateDeltaOptions } from '../../src/delta/create.ts';
import { objectFile } from '../../src/repository/objects.ts';
import type { Progress } from '../../src/progress.ts';
import { pullCommit } from '../../src/pull/pull.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { ostree } from '../ostree/real-ostree.ts';
import { HandmadeCommits } from '../pull/handmade-commit.ts';
import { assertClean, pull } from '../pull/support.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { copyArchive, makeVersions, type Versions } from './versions.ts';

const skip = needs('ostree');

let versions: Versions;
before(async () => {
  if (skip === false) versions = await makeVersions();
});
after(() => versions?.[Symbol.dispose]());

type Options = Omit<CreateDeltaOptions, 'from' | 'to' | 'place'>;

async function create(options: Partial<CreateDeltaOptions> = {}, path = freshPath()): Promise<CreatedDelta> {
  const { v1, v2, repository } = versions;
  using opened = await Repository.open(repository);
  const place = { kind: 'path', path } as const;
  return await createDelta(opened, { from: v1, to: v2, place, threads: 2, ...options });
}

/** An OSTree repository with the older version, or empty. */
function olderRepository(empty: boolean): string {
  const path = freshPath();
  ostree('init', `--repo=${path}`, '--mode=bare-user');
  if (!empty) ostree('pull-local', `--repo=${path}`, versions.archive, 'v1');
  return path;
}

/** Only one file of v2 is as large. */
const LARGE = 600_000;

/** Every object is right and none is missing. */
function assertHasNewer(path: string): void {
  ostree('refs', `--repo=${path}`, '--create=applied', versions.v2);
  ostree('fsck', `--repo=${path}`);
  const listing = (repository: string, commit: string): string => ostree('ls', `--repo=${repository}`, '-RXC', commit);
  assert.equal(listing(path, versions.v2), listing(versions.archive, versions.v2));
}

/** What is in the folder that a new file or folder was to be in. */
function siblings(path: string): string[] {
  return readdirSync(join(path, '..')).filter((name) => !/^\d+$/.test(name));
}

describe('createDelta()', { skip }, () => {
  const forms: Readonly<Record<string, Options & { readonly empty?: boolean }>> = {
    'as a folder': {},
    'as one file': { inline: true },
    'from nothing': { empty: true },
    'from nothing, as one file': { empty: true, inline: true },
    'without patches': { patches: false },
    'of files too large to be compared in memory': { maxPatchSize: 0 },
    'in small parts': { maxChunkSize: 200_000 },
    'with a part for each object': { maxChunkSize: 1 },
    'by one thread': { threads: 1 },
  };
  for (const [name, { empty = false, ...options }] of Object.entries(forms)) {
    test(`makes a delta ${name} that ostree and cfs apply`, async () => {
      const from = empty ? undefined : versions.v1;
      const delta = await create({ ...options, from });
      assert.equal(statSync(delta.path).isFile(), options.inline === true);
      const repository = olderRepository(empty);
      ostree('static-delta', 'apply-offline', `--repo=${repository}`, delta.path);
      assertHasNewer(repository);

      const path = freshRepository();
      if (!empty) await pull(path, versions.archive, versions.v1);
      const own = await pull(path, new DeltaFileSource(delta.path), versions.v2, { deltas: 'required' });
      assert.equal(own.delta?.parts, delta.parts.length);
      assert.equal(own.image, versions.image);
      using opened = await Repository.open(path);
      await assertClean(opened);
    });
  }

  test('takes the ways that fit: copies, patches, whole files', async () => {
    const { files, parts, size, usize } = await create();
    // usr/bin/same, usr/share/data, libfoo; program, text; etc/secret (not for all to read), large, new, one, readme.
    assert.deepEqual(files, { copied: 3, patched: 2, whole: 5 });
    assert.equal(parts.length, 1);
    const ours = size - versions.largeSize;
    assert(ours > 0 && ours < 60_000 && usize > 2_000_000, `${ours} bytes`);
    const { files: without } = await create({ patches: false });
    assert.deepEqual(without, { copied: 5, patched: 0, whole: 5 });
  });

  test('keeps payloads below the limit, but for single objects', async () => {
    const { parts } = await create({ maxChunkSize: 200_000 });
    assert(parts.length > 3);
    for (const { payloadSize, objectCount } of parts) assert(objectCount === 1 || payloadSize <= 200_000);
  });

  test('is no larger than the delta of ostree', async () => {
    const archive = copyArchive(versions, 'generated');
    const sizeOf = (folder: string): number =>
      readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    for (const options of [[`--from=${versions.v1}`], ['--empty']]) {
      const from = options[0] === '--empty' ? undefined : versions.v1;
      const generate = ['static-delta', 'generate', `--repo=${archive}`, '--min-fallback-size=0'];
      ostree(...generate, ...options, `--to=${versions.v2}`);
      const theirs = sizeOf(join(archive, deltaFolder(from, versions.v2)));
      const { size } = await create({ from });
      assert(size <= 1.01 * theirs, `${size} bytes, ostree ${theirs}`);
    }
  });

  test('refuses a path where something is, and leaves that as it was', async () => {
    const path = freshPath();
    mkdirSync(path);
    writeFileSync(join(path, 'superblock'), 'mine');
    await assert.rejects(create({}, path), { code: 'CONFLICT', message: /exists already/ });
    assert.deepEqual(readdirSync(path), ['superblock']);
    assert.deepEqual(siblings(path), []);
  });

  test('refuses a delta from a commit to itself, and of one that is not stored or stored in part', async () => {
    await assert.rejects(create({ from: versions.v2 }), { code: 'USAGE' });
    const path = freshRepository();
    using opened = await Repository.open(path);
    using source = openLocalSource(versions.archive);
    await pullCommit(opened, source, versions.v1, { commitMetadataOnly: true });
    const place = { kind: 'path', path: freshPath() } as const;
    const { v1, v2 } = versions;
    await assert.rejects(createDelta(opened, { from: undefined, to: v1, place }), { code: 'PARTIAL' });
    await assert.rejects(createDelta(opened, { from: undefined, to: v2, place }), { code: 'NOT_FOUND' });
    assert.equal(existsSync(place.path), false);
  });

  test('stops when it is told to, and leaves nothing', async () => {
    const path = freshPath();
    const reason = new Error('enough');
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(reason);
    await assert.rejects(create({ signal: controller.signal, onProgress }, path), reason);
    await assert.rejects(create({ signal: controller.signal }, path), { code: 'CANCELLED' });
    assert.equal(existsSync(path), false);
    assert.deepEqual(siblings(path), []);
  });

  test('counts all objects and bytes in its progress', async () => {
    const seen: Progress[] = [];
    const { parts, usize } = await create({ onProgress: (progress) => seen.push(progress) });
    const total = parts.reduce((sum, { objectCount }) => sum + objectCount, 0);
    const all = { phase: 'delta', total, bytesTotal: usize } as const;
    assert.deepEqual(seen[0], { ...all, done: 0, bytes: 0 });
    const end = { ...all, done: total, bytes: usize };
    // What the workers counted, and what there was to count.
    assert.deepEqual(seen.slice(-2), [end, end]);
    assert(seen.every(({ done }, i) => i === 0 || done >= seen[i - 1]!.done));
  });
});

describe('createDelta() into an OSTree repository', { skip }, () => {
  async function publish(archive: string, options: Partial<CreateDeltaOptions> = {}): Promise<CreatedDelta> {
    return await create({ place: { kind: 'repository', path: archive }, ...options });
  }

  /** Pulls `v2` by the real ostree over HTTP, which must use a delta; answers what it asked for. */
  async function pullByDelta(t: TestContext, archive: string, into: string): Promise<string[]> {
    const server = await FaultyServer.start({ files: archive });
    t.after(() => server[Symbol.asyncDispose]());
    ostree('remote', 'add', `--repo=${into}`, '--no-gpg-verify', 'origin', server.url);
    // Not a child that is waited for: the server is in this process.
    await promisify(execFile)('ostree', [`--repo=${into}`, 'pull', '--require-static-deltas', 'origin', 'v2']);
    return server.requests.map(({ path }) => decodeURIComponent(path));
  }

  for (const inline of [false, true]) {
    test(`is used by ostree pull${inline ? ' in one file' : ''}, with large new files beside it`, async (t) => {
      const archive = copyArchive(versions, `published-${inline}`);
      const { path, fallbacks } = await publish(archive, { inline, minFallbackSize: LARGE });
      const folder = deltaFolder(versions.v1, versions.v2);
      assert.equal(path, join(archive, folder));
      assert.deepEqual(readdirSync(path).toSorted(), inline ? ['superblock'] : ['0', 'superblock']);
      assert.deepEqual(
        readdirSync(join(archive, 'tmp')).filter((name) => name.startsWith('cfs')),
        [],
      );
      const [{ checksum, size, usize } = assert.fail(), ...others] = fallbacks;
      assert.equal(others.length, 0);
      const loose = `objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.filez`;
      assert.deepEqual([size, usize], [statSync(join(archive, loose)).size, versions.largeSize]);
      ostree('summary', '--update', `--repo=${archive}`);

      const into = olderRepository(false);
      const asked = await pullByDelta(t, archive, into);
      // ostree 2022.7 fetches other objects too, while it waits for parts.
      for (const name of readdirSync(path)) assert(asked.includes(`${folder}/${name}`), name);
      assert(asked.includes(loose));
      assertHasNewer(into);
      // Detached metadata of the repository came along.
      assert.match(ostree('show', `--repo=${into}`, '--print-detached-metadata-key=signed', versions.v2), /yes/);
    });
  }

  test('leaves out a large file whose source turns out to be unlike it', async () => {
    const { files, fallbacks } = await publish(copyArchive(versions, 'unlike'), {
      minFallbackSize: 100,
      maxPatchSize: 0,
    });
    const sizes = fallbacks.map(({ usize }) => usize).toSorted((a, b) => a - b);
    // Too large to be compared in memory, no piece of usr/bin/program is as it was.
    assert.equal(sizes.length, 4);
    assert.equal(files.patched, 0);
    assert(sizes.includes(400_050));
  });

  test('replaces a delta as a whole', async () => {
    const archive = copyArchive(versions, 'replaced');
    const first = await publish(archive, { maxChunkSize: 200_000 });
    assert(readdirSync(first.path).length > 4);
    const second = await publish(archive);
    assert.equal(second.path, first.path);
    assert.deepEqual(readdirSync(second.path).toSorted(), ['0', 'superblock']);
    assert.deepEqual(
      readdirSync(join(archive, 'tmp')).filter((name) => name.startsWith('cfs')),
      [],
    );
  });

  test('refuses a repository without the commit, and what is no repository', async () => {
    await assert.rejects(publish(olderRepository(false)), { code: 'NOT_FOUND', message: /it lacks commit/ });
    await assert.rejects(publish(freshPath()), { code: 'NOT_FOUND' });
  });
});

describe('createDelta() of damaged commits', () => {
  const text = (name: string): Buffer => Buffer.from(`${name} `.repeat(3000));

  /** A repository with two commits of a file that changes, and what deltas are asked for. */
  async function damaged(damage: (file: { readonly old: string; readonly new: string }) => void): Promise<CfsError> {
    using source = new HandmadeCommits();
    const commits = [text('one'), Buffer.concat([text('one'), text('two')])].map((content) =>
      source.commitFiles(['file', source.file(content)]),
    );
    const path = freshRepository();
    for (const commit of commits) await pull(path, source.path, commit);
    using opened = await Repository.open(path);
    const [old, now] = commits.map((commit) => {
      const ids = [...readCommit(opened, commit).content.entries()].flatMap(([, { object }]) => object ?? []);
      return objectFile(opened, ids[0]!);
    });
    damage({ old: old!, new: now! });
    const place = { kind: 'path', path: freshPath() } as const;
    const error = await createDelta(opened, { from: commits[0], to: commits[1]!, place }).then(
      () => assert.fail('a delta was made'),
      (reason: unknown) => reason as CfsError,
    );
    assert.equal(existsSync(place.path), false);
    assert.deepEqual(siblings(place.path), []);
    return error;
  }
  const change = (path: string): void => {
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    writeFileSync(path, bytes);
  };
  const cut = (path: string): void => writeFileSync(path, readFileSync(path).subarray(1));

  for (const which of ['old', 'new'] as const) {
    test(`names the ${which} file that is changed, cut short or missing`, async () => {
      const changed = await damaged((files) => change(files[which]));
      assert.match(String(changed), /Corrupted file object [0-9a-f]{64}/);
      assert.equal(changed.code, 'CHECKSUM');
      const short = await damaged((files) => cut(files[which]));
      assert.match(String(short), /stored file [0-9a-f]{64}.*bytes, but \d+ are declared/);
      const missing = await damaged((files) => rmSync(files[which]));
      assert.equal(missing.code, 'NOT_FOUND');
    });
  }
});
