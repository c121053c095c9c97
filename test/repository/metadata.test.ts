import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError, UnsupportedError } from '../../bytes/errors.ts';
import { effectiveFormats, formatMetadata, newMetadata, parseMetadata } from '../../src/repository/metadata.ts';
import { Repository } from '../../src/repository/repository.ts';
import { objectPath } from '../../src/verity/object-id.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { cfsctl, freshPath, freshRepository, skipWithoutCfsctl } from './support.ts';

const good = {
  version: 1,
  algorithm: 'fsverity-sha256-12',
  features: { compatible: ['x'], 'read-only-compatible': ['v1_erofs'], incompatible: [] },
  erofs_formats: { default: 1 },
};

const refused: readonly [name: string, json: unknown, error: 'FormatError' | 'UnsupportedError'][] = [
  ['a document that is no object', [], 'FormatError'],
  ['no version', { ...good, version: undefined }, 'FormatError'],
  ['version 2', { ...good, version: 2 }, 'UnsupportedError'],
  ['another block size', { ...good, algorithm: 'fsverity-sha256-16' }, 'UnsupportedError'],
  ['another hash', { ...good, algorithm: 'fsverity-md5-12' }, 'UnsupportedError'],
  ['an algorithm that is no string', { ...good, algorithm: 12 }, 'FormatError'],
  ['an incompatible feature', { ...good, features: { incompatible: ['later'] } }, 'UnsupportedError'],
  ['features that are no strings', { ...good, features: { compatible: [1] } }, 'FormatError'],
  ['EROFS format 3', { ...good, erofs_formats: { default: 3 } }, 'FormatError'],
  ['EROFS formats without default', { ...good, erofs_formats: {} }, 'FormatError'],
];
for (const [name, json, type] of refused) {
  test(`parseMetadata() refuses ${name}`, () => {
    assert.throws(() => parseMetadata(JSON.stringify(json)), { name: type });
  });
}

test('parseMetadata() throws only CfsError', () => {
  const values = fc.oneof(
    fc.json(),
    fc.string(),
    fc.json().map((json) => `{"version":1,"algorithm":"fsverity-sha256-12","features":${json}}`),
  );
  fc.assert(
    fc.property(values, (text) => {
      try {
        parseMetadata(text);
      } catch (error) {
        if (!(error instanceof CfsError)) throw error;
      }
    }),
    { numRuns: fuzzRuns },
  );
});

const formats: readonly [name: string, flag: boolean, formats: object | undefined, expected: object][] = [
  ['no formats', false, undefined, { default: 2, extra: [] }],
  ['no formats, but the flag', true, undefined, { default: 1, extra: [] }],
  ['default 2 and the flag', true, { default: 2 }, { default: 1, extra: [] }],
  ['default 2 with extras and the flag', true, { default: 2, extra: [1] }, { default: 2, extra: [1] }],
  ['default 0', false, { default: 0 }, { default: 0, extra: [] }],
];
for (const [name, flag, erofs_formats, expected] of formats) {
  test(`effectiveFormats() of ${name}`, () => {
    const features = { 'read-only-compatible': flag ? ['v1_erofs'] : [] };
    const metadata = parseMetadata(JSON.stringify({ ...good, features, erofs_formats }));
    assert.deepEqual(effectiveFormats(metadata), expected);
  });
}

test('formatMetadata() and parseMetadata() are inverse', () => {
  const metadata = { ...newMetadata('sha512', 2), erofsFormats: { default: 2, extra: [0, 1] } } as const;
  assert.deepEqual(parseMetadata(formatMetadata(metadata)), metadata);
});

for (const [algorithm, version] of [
  ['sha256', 1],
  ['sha512', 1],
  ['sha256', 2],
  ['sha512', 0],
] as const) {
  test(
    `Repository.init() writes what cfsctl writes: ${algorithm}, EROFS ${version}`,
    { skip: skipWithoutCfsctl },
    () => {
      const [ours, theirs] = [freshPath(), freshPath()];
      assert.equal(Repository.init(ours, { algorithm, erofsVersion: version, insecure: true }), 'created');
      const options = ['--insecure', '--algorithm', `fsverity-${algorithm}-12`, '--erofs-version', String(version)];
      execFileSync(cfsctl ?? '', ['init', ...options, theirs]);
      assert.equal(readFileSync(join(ours, 'meta.json'), 'utf8'), readFileSync(join(theirs, 'meta.json'), 'utf8'));
      assert.equal(statSync(ours).mode, statSync(theirs).mode);
      assert.equal(statSync(join(ours, 'meta.json')).mode, statSync(join(theirs, 'meta.json')).mode);
      assert.equal(Repository.init(theirs, { algorithm, erofsVersion: version, insecure: true }), 'existing');
    },
  );
}

test('Repository.init() refuses other metadata unless it is only to ensure a repository', () => {
  const path = freshRepository('sha256');
  assert.throws(() => Repository.init(path, { algorithm: 'sha512', insecure: true }), { code: 'CONFLICT' });
  assert.equal(Repository.init(path, { algorithm: 'sha512', insecure: true, ensure: true }), 'existing');
  mkdirSync(join(path, 'streams'));
  assert.equal(Repository.init(path, { algorithm: 'sha512', insecure: true, resetMetadata: true }), 'created');
  assert.equal(existsSync(join(path, 'streams')), false);
});

test('Repository.init() without fs-verity says that an insecure repository does without it', (t) => {
  const path = freshPath();
  try {
    Repository.init(path);
    t.skip('fs-verity is there');
  } catch (error) {
    assert.ok(error instanceof UnsupportedError);
    assert.match(error.message, /insecure/);
    assert.equal(existsSync(join(path, 'meta.json')), false);
  }
});

test('Repository.open() of nothing names the path and cfs init', async () => {
  const path = freshPath();
  for (const make of [() => undefined, () => mkdirSync(path)]) {
    make();
    await assert.rejects(Repository.open(path), { name: 'NotFoundError', message: new RegExp(`${path}.*cfs init`) });
  }
});

test('Repository.open() and init() refuse what cannot be meta.json, and never wait for it', async () => {
  for (const [make, code] of [
    [(file: string) => execFileSync('mkfifo', [file]), 'CORRUPT'],
    [(file: string) => symlinkSync('/dev/zero', file), 'CORRUPT'],
    [(file: string) => mkdirSync(file), 'CORRUPT'],
    [(file: string) => writeFileSync(file, Buffer.alloc(2 ** 21, ' ')), 'LIMIT'],
  ] as const) {
    const path = freshRepository();
    unlinkSync(join(path, 'meta.json'));
    make(join(path, 'meta.json'));
    await assert.rejects(Repository.open(path), { code });
    assert.throws(() => Repository.init(path, { algorithm: 'sha256', insecure: true, ensure: true }), { code });
  }
});

test('Repository.open() upgrades a repository that has only objects, unless told not to', async () => {
  const path = freshPath();
  const id = verityDigest('sha512', Buffer.from('x'));
  const file = join(path, 'objects', objectPath(id));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'x');
  await assert.rejects(Repository.open(path, { noUpgrade: true }), { name: 'UnsupportedError' });
  using repository = await Repository.open(path);
  assert.deepEqual([repository.algorithm, repository.secure, repository.formats.default], ['sha512', false, 1]);
  assert.ok(existsSync(join(path, 'meta.json')));
});

test('Repository.open() checks algorithm and verity, and begin() unknown read-only features', async () => {
  const path = freshRepository('sha256');
  await assert.rejects(Repository.open(path, { algorithm: 'sha512' }), { code: 'CONFLICT' });
  await assert.rejects(Repository.open(path, { requireVerity: true }), { name: 'UnsupportedError' });
  const features = { 'read-only-compatible': ['v1_erofs', 'later'] };
  writeFileSync(join(path, 'meta.json'), JSON.stringify({ ...good, features }));
  using repository = await Repository.open(path);
  await assert.rejects(repository.begin(), { name: 'UnsupportedError', message: /later/ });
});
