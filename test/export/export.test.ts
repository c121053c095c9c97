/** Exports of the golden commits to repositories of every mode. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { createLocalRepository } from '../../ostree/local/create-repository.ts';
import { readCommit } from '../../src/commit/stored.ts';
import { getXattr, listXattrs } from '../../src/linux/xattr.ts';
import { objectFile } from '../../src/repository/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { needs } from '../needs.ts';
import { copyGoldenRepository, goldenRefs, makeRepositories, ostree, repositoryNeeds } from '../ostree/real-ostree.ts';
import type { Repositories } from '../ostree/real-ostree.ts';
import { expected, objectNames, pull } from '../pull/support.ts';
import { freshRepository } from '../repository/support.ts';
import { exportTo } from './export-to.ts';
import { checkout, digestOfFolder, freshFolder, fsck } from './support.ts';

const modes = ['archive', 'bare', 'bare-user', 'bare-split-xattrs'] as const;

function inodes(repository: string): string[] {
  const names = readdirSync(join(repository, 'objects'), { recursive: true, encoding: 'utf8' });
  return names.map((name) => `${name} ${lstatSync(join(repository, 'objects', name)).ino}`).toSorted();
}

function describeFile(repository: string, name: string): unknown {
  const path = join(repository, 'objects', name);
  const { mode, uid, gid, size, mtimeMs } = lstatSync(path);
  const isLink = (mode & 0o170000) === 0o120000;
  return {
    mode,
    uid,
    gid,
    size,
    // ostree gives times only to regular files.
    mtimeMs: isLink ? undefined : mtimeMs,
    content: isLink ? readlinkSync(path) : readFileSync(path, 'base64'),
    xattrs: listXattrs(path).map((xattr) => [xattr, Buffer.from(getXattr(path, xattr)!).toString('hex')]),
  };
}

describe('exportCommit()', { skip: needs(...repositoryNeeds, 'tar') }, () => {
  let repositories: Repositories;
  const from = { sha256: freshRepository('sha256'), sha512: freshRepository('sha512') };
  before(async () => {
    repositories = makeRepositories();
    for (const path of Object.values(from)) {
      for (const ref of goldenRefs) await pull(path, repositories.archive, ref);
    }
  });
  after(() => repositories[Symbol.dispose]());

  for (const mode of modes) {
    for (const ref of goldenRefs) {
      test(`of ${ref} to ${mode} passes fsck, checks out the same, and pulls back to the same ids`, async () => {
        const to = freshFolder();
        const result = await exportTo(from.sha512, ref, to, { create: mode, reference: ref, threads: 2 });
        assert.equal(result.mode, mode);
        fsck(to);
        assert.equal(ostree('rev-parse', `--repo=${to}`, ref).trim(), result.commit);
        assert.equal(ostree('rev-parse', `--repo=${repositories.archive}`, ref).trim(), result.commit);
        assert.equal(digestOfFolder(checkout(to, ref)), digestOfFolder(checkout(repositories.bare, ref)));
        const back = freshRepository('sha512');
        const pulled = await pull(back, to, ref);
        using repository = await Repository.open(from.sha512);
        const { stream, image } = readCommit(repository, result.commit);
        assert.deepEqual([pulled.stream, pulled.image], [stream, image]);
        assert.deepEqual(readdirSync(join(to, 'tmp')), ['cache']);
      });
    }
  }

  test('stores files as ostree does: mode, owner, size, attributes, content', async () => {
    for (const [mode, real] of [
      ['bare', repositories.bare],
      ['bare-user', repositories.bareUser],
    ] as const) {
      const to = freshFolder();
      await exportTo(from.sha256, 'golden/x86_64/os', to, { create: mode });
      const names = objectNames(to).filter((name) => name.endsWith('.file'));
      assert.ok(names.length > 300);
      for (const name of names) assert.deepEqual(describeFile(to, name), describeFile(real, name), `${mode} ${name}`);
    }
  });

  test('writes what a bare-user-only repository can hold, and refuses the rest by name', async () => {
    const to = freshFolder();
    const path = freshRepository();
    const { commit } = await pull(path, repositories.bareUserOnly, 'canonical');
    await exportTo(path, 'canonical', to, { create: 'bare-user-only', reference: 'canonical' });
    fsck(to);
    assert.equal(ostree('rev-parse', `--repo=${to}`, 'canonical').trim(), commit);
    assert.equal((await pull(freshRepository(), to, 'canonical')).commit, commit);
    await assert.rejects(exportTo(from.sha256, 'golden/plain', to, { reference: 'plain' }), {
      code: 'UNSUPPORTED',
      message:
        /^File object [0-9a-f]{64} (belongs to 1000:1000|has mode 04755), which a bare-user-only repository cannot hold/,
    });
    assert.deepEqual(ostree('refs', `--repo=${to}`).trim(), 'canonical');
    fsck(to);
  });

  test('keeps objects that are there, and writes nothing the second time', async () => {
    for (const mode of modes) {
      const to = freshFolder();
      await exportTo(from.sha256, 'golden/plain', to, { create: mode, reference: 'a' });
      const before = inodes(to);
      const again = await exportTo(from.sha256, 'golden/plain', to, { reference: 'b' });
      assert.deepEqual([again.metadataWritten, again.files.written, again.files.reflinked], [0, 0, 0]);
      assert.deepEqual(inodes(to), before);
      const more = await exportTo(from.sha256, 'golden/x86_64/os', to, { reference: 'a' });
      assert.ok(more.files.present > 0 && more.files.written > 0, JSON.stringify(more.files));
      fsck(to);
    }
  });

  test('takes objects that the parent of the destination has as being there', async () => {
    const to = freshFolder();
    ostree('init', `--repo=${to}`, '--mode=bare-user');
    ostree('config', `--repo=${to}`, 'set', 'core.parent', repositories.archive);
    const { files, metadataWritten } = await exportTo(from.sha256, 'golden/plain', to, { reference: 'plain' });
    assert.deepEqual([files.written, metadataWritten], [0, 0]);
    assert.equal(ostree('rev-parse', `--repo=${to}`, 'plain').trim(), expected.commits['plain']);
  });

  test('writes ancestors with withParents, as far as they are stored', async () => {
    const path = freshRepository();
    for (const name of ['1', '2', '3']) await pull(path, repositories.archive, expected.commits[name]!);
    const [one, two, three] = ['1', '2', '3'].map((name) => expected.commits[name]!) as [
      OstreeChecksum,
      OstreeChecksum,
      OstreeChecksum,
    ];
    const alone = freshFolder();
    assert.deepEqual((await exportTo(path, three, alone, { create: 'archive' })).commits, [three]);
    const all = freshFolder();
    const { commits } = await exportTo(path, three, all, { create: 'archive', reference: 'os', withParents: true });
    assert.deepEqual(commits, [three, two, one]);
    fsck(all);
    assert.equal(ostree('log', `--repo=${all}`, 'os').match(/^commit /gm)?.length, 3);

    const gap = freshRepository();
    await pull(gap, repositories.archive, three);
    const notes: string[] = [];
    await exportTo(gap, three, freshFolder(), {
      create: 'archive',
      withParents: true,
      onNote: (text) => notes.push(text),
    });
    assert.deepEqual(notes, [`The parent ${two} of ${three} is not stored, so it is not exported`]);
  });

  test('completes a commit that was partial there', async () => {
    const to = freshFolder();
    const { commit } = await exportTo(from.sha256, 'golden/plain', to, { create: 'archive', reference: 'plain' });
    const marker = join(to, 'state', `${commit}.commitpartial`);
    writeFileSync(marker, '');
    const lost = objectNames(to).find((name) => name.endsWith('.filez'));
    rmSync(join(to, 'objects', lost!));
    await exportTo(from.sha256, 'golden/plain', to);
    assert.equal(existsSync(marker), false);
    fsck(to);
  });

  test('makes no repository unless asked to, and none over another one', async () => {
    const to = freshFolder();
    await assert.rejects(exportTo(from.sha256, 'golden/plain', to), { code: 'NOT_FOUND' });
    assert.equal(existsSync(to), false);
    createLocalRepository(to, 'bare-user');
    assert.equal((await exportTo(from.sha256, 'golden/plain', to, { create: 'archive' })).mode, 'bare-user');
    assert.throws(() => createLocalRepository(to, 'bare'), { code: 'CONFLICT' });
  });

  test('refuses refs that cannot be, before anything is written', async () => {
    const to = freshFolder();
    createLocalRepository(to, 'archive');
    for (const reference of ['bad ref', '../up', '/x', 'a//b', '', 'f'.repeat(64)]) {
      await assert.rejects(exportTo(from.sha256, 'golden/plain', to, { reference }), { code: 'FORMAT' }, reference);
    }
    await exportTo(from.sha256, 'golden/plain', to, { reference: 'a/b' });
    for (const reference of ['a', 'a/b/c']) {
      await assert.rejects(exportTo(from.sha256, 'golden/plain', to, { reference }), { code: 'CONFLICT' }, reference);
    }
    assert.equal(ostree('refs', `--repo=${to}`).trim(), 'a/b');
    fsck(to);
  });

  test('says that a summary there is out of date', async () => {
    const to = freshFolder();
    copyGoldenRepository(to);
    const notes: string[] = [];
    await exportTo(from.sha256, 'golden/plain', to, { reference: 'new', onNote: (text) => notes.push(text) });
    assert.deepEqual(notes, [`${to} has a summary, which does not know of this: ostree summary --update`]);
  });

  for (const mode of modes) {
    test(`refuses a damaged, short or missing object, and leaves nothing in ${mode}`, async () => {
      const path = freshRepository();
      const { commit } = await pull(path, repositories.archive, 'golden/plain');
      let large: string;
      {
        using repository = await Repository.open(path);
        const stored = Array.from(readCommit(repository, commit).content.entries());
        const [, { object }] = stored.find(([, each]) => each.object !== undefined)!;
        large = objectFile(repository, object!);
      }
      const good = readFileSync(large);
      const cases: [Buffer | undefined, string][] = [
        [Buffer.from(good).fill(0xff, 10, 11), 'CHECKSUM'],
        [good.subarray(0, -1), 'CORRUPT'],
        [Buffer.concat([good, Buffer.of(0)]), 'CORRUPT'],
        [undefined, 'NOT_FOUND'],
      ];
      for (const [content, code] of cases) {
        rmSync(large, { force: true });
        if (content !== undefined) writeFileSync(large, content);
        for (const threads of code === 'CHECKSUM' ? [1, 2] : [1]) {
          const to = freshFolder();
          createLocalRepository(to, mode);
          await assert.rejects(exportTo(path, 'golden/plain', to, { reference: 'plain', threads }), { code });
          assert.deepEqual(objectNames(to), []);
          assert.deepEqual(readdirSync(join(to, 'tmp')), ['cache']);
          assert.deepEqual(readdirSync(join(to, 'refs/heads')), []);
        }
      }
    });
  }

  test('ends with the reason of its signal, and leaves nothing', async () => {
    const to = freshFolder();
    createLocalRepository(to, 'archive');
    const controller = new AbortController();
    const reason = new Error('enough');
    const options = { signal: controller.signal, onProgress: () => controller.abort(reason) };
    await assert.rejects(exportTo(from.sha256, 'golden/plain', to, options), reason);
    assert.deepEqual([objectNames(to), readdirSync(join(to, 'tmp'))], [[], ['cache']]);
  });
});
