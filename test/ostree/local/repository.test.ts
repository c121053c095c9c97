import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checksumOf, type OstreeChecksum } from '../../../ostree/checksum.ts';
import { remoteGroup, remoteNames } from '../../../ostree/local/config.ts';
import { openLocalRepository } from '../../../ostree/local/repository.ts';
import { goldenPath } from '../golden.ts';
import { Handmade } from './handmade.ts';

const some = 'ab'.repeat(32) as OstreeChecksum;

/** Commits whose checksums begin with the same digit. */
function collidingCommits(repository: Handmade): [OstreeChecksum, OstreeChecksum] {
  const byDigit = new Map<string, OstreeChecksum>();
  for (let i = 0; ; i++) {
    const commit = repository.commit(`number ${i}`);
    const other = byDigit.get(commit.charAt(0));
    if (other !== undefined) return [other, commit];
    byDigit.set(commit.charAt(0), commit);
  }
}

test('openLocalRepository() opens the golden repository as Git keeps it', async () => {
  const source = openLocalRepository(goldenPath);
  assert.deepEqual([...(await source.listRefs()).keys()].toSorted(), [
    'golden/empty',
    'golden/plain',
    'golden/single',
    'golden/x86_64/os',
    'ostree-metadata',
  ]);
  assert.equal(source.stores[0]?.config.collectionId, 'org.example.Golden');
  assert.equal(
    await source.resolveRef('golden/x86_64/os^^'),
    await source.resolveRef(`${await source.resolveRef('golden/x86_64/os^')}^`),
  );
});

const configs: readonly (readonly [string, string, string, RegExp])[] = [
  ['no version', '[core]\nmode=bare\n', 'core.repo_version', /missing/],
  ['no group core', '[other]\na=b\n', 'core.repo_version', /missing/],
  ['version 2', '[core]\nrepo_version=2\n', 'core.repo_version', /Invalid repository version '2'/],
  ['an unknown mode', '[core]\nrepo_version=1\nmode=x\n', 'core.mode', /Invalid mode 'x' in repository configuration/],
  ['a relative parent', '[core]\nrepo_version=1\nparent=a/b\nmode=archive\n', 'core.parent', /not an absolute path/],
  ['a bad collection', '[core]\nrepo_version=1\ncollection-id=x\n', 'core.collection-id', /Invalid collection ID x/],
  ['a bad boolean', '[core]\nrepo_version=1\ndisable-xattrs=x\n', 'core.disable-xattrs', /not a boolean/],
  ['text that is no key file', 'hello\n', 'line 1', /does not start with a group/],
];
for (const [name, text, field, message] of configs) {
  test(`openLocalRepository() rejects a config with ${name}`, () => {
    using repository = new Handmade();
    repository.configure(text);
    assert.throws(() => openLocalRepository(repository.path), { code: 'FORMAT', field, message });
  });
}

test('remoteNames() lists the remotes of a config', () => {
  using repository = new Handmade('archive', '[remote "a.b"]\nurl=https://example.org/\n[archive]\n[remote "c"]\n');
  const { keyFile } = openLocalRepository(repository.path).stores[0]!.config;
  assert.deepEqual(remoteNames(keyFile), ['a.b', 'c']);
  assert.equal(keyFile.string(remoteGroup('a.b'), 'url'), 'https://example.org/');
});

test('openLocalRepository() says that there is no repository', () => {
  using repository = new Handmade();
  for (const path of [
    join(repository.path, 'nothing'),
    join(repository.path, 'objects'),
    join(repository.path, 'config'),
  ]) {
    assert.throws(() => openLocalRepository(path), { code: 'NOT_FOUND' }, path);
  }
  rmSync(join(repository.path, 'objects'), { recursive: true });
  assert.throws(() => openLocalRepository(repository.path), {
    code: 'NOT_FOUND',
    message: /is not an OSTree repository/,
  });
});

test('resolveRef() takes the beginning of a commit checksum, if only one has it', async () => {
  using repository = new Handmade();
  const [a, b] = collidingCommits(repository);
  const source = openLocalRepository(repository.path);
  assert.equal(await source.resolveRef(a.slice(0, 10)), a);
  assert.equal(await source.resolveRef(b.slice(0, 63)), b);
  const digit = a.charAt(0);
  await assert.rejects(source.resolveRef(digit), { code: 'CONFLICT', message: `Refspec ${digit} not unique` });
});

test('resolveRef() says that a commit has no parent, or that the commit is gone', async () => {
  using repository = new Handmade();
  const commit = repository.commit('only');
  const source = openLocalRepository(repository.path);
  await assert.rejects(source.resolveRef(`${commit}^`), {
    code: 'NOT_FOUND',
    message: `Commit ${commit} has no parent`,
  });
  await assert.rejects(source.resolveRef(`${some}^`), { code: 'NOT_FOUND' });
});

test('resolveRef() does not believe a commit that was tampered with', async () => {
  using repository = new Handmade();
  repository.put('commit', some, Buffer.from('not a commit'));
  await assert.rejects(openLocalRepository(repository.path).resolveRef(`${some}^`), { code: 'CHECKSUM' });
});

const [c1, c2, c3, c4] = ['1', '2', '3', '4'].map((digit) => digit.repeat(64) as OstreeChecksum);

/** A repository with refs of every kind. */
function withRefs(): Handmade {
  const repository = new Handmade();
  repository.write('refs/heads/both', `${c1}\n`);
  repository.write('refs/remotes/origin/both', `${c2}  \n\n`);
  repository.write('refs/remotes/origin/far/away', `${c3}\n`);
  repository.write('refs/remotes/second/far/away', `${c4}\n`);
  repository.write('refs/mirrors/org.example.X/x', c4!);
  mkdirSync(join(repository.path, 'refs/heads/sub'));
  symlinkSync('../both', join(repository.path, 'refs/heads/sub/alias'));
  symlinkSync('nowhere', join(repository.path, 'refs/heads/dangling'));
  return repository;
}

const resolutions: readonly (readonly [string, boolean, string | undefined])[] = [
  ['both', false, c1],
  ['heads/both', false, c1],
  ['remotes/origin/both', false, c2],
  ['mirrors/org.example.X/x', false, c4],
  ['origin:both', false, c2],
  ['sub/alias', false, c1],
  ['dangling', false, undefined],
  ['sub', false, undefined],
  ['both/x', false, undefined],
  ['far/away', false, undefined],
  ['far/away', true, c3],
  ['origin/both', false, undefined],
  ['origin/both', true, c2],
  ['both', true, c1],
  ['x', true, undefined],
];
for (const [name, remoteFallback, expected] of resolutions) {
  const how = `${name}${remoteFallback ? ' with remotes as a fallback' : ''}`;
  test(`resolveRef() of ${how} ${expected === undefined ? 'fails' : `is ${expected.charAt(0)}…`}`, async () => {
    using repository = withRefs();
    const source = openLocalRepository(repository.path, { remoteFallback });
    if (expected === undefined) await assert.rejects(source.resolveRef(name), { code: 'NOT_FOUND' });
    else assert.equal(await source.resolveRef(name), expected);
  });
}

test('resolveRef() names the remotes that have a ref which is not local', async () => {
  using repository = withRefs();
  await assert.rejects(openLocalRepository(repository.path).resolveRef('far/away'), {
    message: `Refspec 'far/away' not found in ${repository.path}; there is origin:far/away, second:far/away`,
  });
});

test('listRefs() names local, remote and mirrored refs, without dangling aliases and foreign files', async () => {
  using repository = withRefs();
  repository.write('refs/heads/.temporary', 'x');
  assert.deepEqual(
    new Map(await openLocalRepository(repository.path).listRefs()),
    new Map([
      ['both', c1],
      ['sub/alias', c1],
      ['origin:both', c2],
      ['origin:far/away', c3],
      ['second:far/away', c4],
      ['mirrors/org.example.X/x', c4],
    ]),
  );
});

test('refs that hold no checksum or lead out of the repository are named, not shown', async () => {
  using repository = new Handmade();
  const secret = repository.write('secret', 'something private');
  repository.write('refs/heads/bad', 'hello');
  repository.write('refs/heads/large', `${c1}${' '.repeat(5000)}`);
  symlinkSync(secret, join(repository.path, 'refs/heads/out'));
  symlinkSync('loop', join(repository.path, 'refs/heads/loop'));
  const source = openLocalRepository(repository.path);
  await assert.rejects(source.resolveRef('bad'), {
    code: 'CORRUPT',
    message: /refs\/heads\/bad does not hold a checksum/,
  });
  await assert.rejects(source.resolveRef('large'), { code: 'LIMIT' });
  await assert.rejects(source.resolveRef('out'), { code: 'CORRUPT', message: /refs\/heads\/out cannot be followed/ });
  await assert.rejects(source.resolveRef('loop'), { code: 'CORRUPT', message: /aliases form a loop/ });
  await assert.rejects(source.listRefs(), { code: 'CORRUPT' });
});

test('objects and refs that are missing come from the parents', async () => {
  using grandparent = new Handmade();
  using parent = new Handmade('bare-user-only', `parent=${grandparent.path}\n`);
  using child = new Handmade('archive', `parent=${parent.path}\n`);
  const far = grandparent.commit('far');
  grandparent.write('refs/heads/far', far);
  grandparent.write('refs/heads/main', c1!);
  parent.put('file', some, 'content');
  child.write('refs/heads/main', c2!);
  const source = openLocalRepository(child.path);
  assert.equal(await source.resolveRef('far'), far);
  assert.equal(await source.resolveRef(far.slice(0, 8)), far);
  assert.equal(await source.resolveRef('main'), c2);
  assert.deepEqual(
    new Map(await source.listRefs()),
    new Map([
      ['far', far],
      ['main', c2!],
    ]),
  );
  assert.equal(checksumOf(source.readObject('commit', far)), far);
  using file = source.openFile(some);
  assert.equal(file.size, 7);
});

test('openLocalRepository() rejects parents that lead back, and names a parent that is gone', () => {
  using a = new Handmade();
  using b = new Handmade('archive', `parent=${a.path}\n`);
  a.configure(`[core]\nrepo_version=1\nmode=archive\nparent=${b.path}/../${b.path.split('/').at(-1)}\n`);
  assert.throws(() => openLocalRepository(a.path), { code: 'FORMAT', field: 'core.parent', message: /lead back to/ });
  a.configure('[core]\nrepo_version=1\nparent=/nonexistent/repo\n mode=archive\n');
  assert.throws(() => openLocalRepository(a.path), { code: 'NOT_FOUND', message: /\/nonexistent\/repo/ });
});

test('readObject() refuses a commit that is only partly there', () => {
  using repository = new Handmade();
  const commit = repository.commit('partial');
  const source = openLocalRepository(repository.path);
  assert.equal(checksumOf(source.readObject('commit', commit)), commit);
  const marker = repository.write(`state/${commit}.commitpartial`, '');
  assert.throws(() => source.readObject('commit', commit), { code: 'PARTIAL', message: /is only partly in/ });
  rmSync(marker);
  symlinkSync('an-old-boot-id', join(repository.path, 'transaction'));
  assert.throws(() => source.readObject('commit', commit), { code: 'PARTIAL' });
});

test('readObject() says that a commit was deleted upstream', () => {
  using repository = new Handmade();
  repository.put('tombstone-commit', some, new Uint8Array(0));
  assert.throws(() => openLocalRepository(repository.path).readObject('commit', some), {
    code: 'NOT_FOUND',
    message: `Commit ${some} was deleted upstream: ${repository.path} keeps its tombstone`,
  });
});
