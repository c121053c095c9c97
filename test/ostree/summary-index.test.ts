import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { encode } from '../../gvariant/src/encode.ts';
import { checksumOf } from '../../ostree/checksum.ts';
import { refGlob } from '../../ostree/ref-glob.ts';
import { decodeSummary } from '../../ostree/summary.ts';
import {
  decodeSummaryIndex,
  decompressSubSummary,
  encodeSummaryIndex,
  subsetFor,
  subSummaryPath,
} from '../../ostree/summary-index.ts';
import { needs } from '../needs.ts';
import { holdsForAnyBytes, rejects } from './codec-checks.ts';
import { ostree } from './real-ostree.ts';

const fixture = join(import.meta.dirname, '../../fixtures/flatpak-repo');

/** What the repository in a folder lists, by subset. */
function subsetRefs(repository: string): Record<string, string[]> {
  const index = decodeSummaryIndex(readFileSync(join(repository, 'summary.idx')));
  const refs = Array.from(index.subsets, ([name, { digest }]) => {
    const compressed = readFileSync(join(repository, subSummaryPath(digest)));
    const summary = decodeSummary(decompressSubSummary(compressed, digest));
    summary.check();
    return [name, Array.from(summary.list(), ({ ref }) => ref)] as const;
  });
  return Object.fromEntries(refs);
}

const app = 'app/org.test.App';
const expected = {
  aarch64: [`${app}/aarch64/stable`],
  'verified-aarch64': [],
  'verified-x86_64': [`${app}/x86_64/beta`],
  x86_64: [`${app}/x86_64/beta`, `${app}/x86_64/stable`],
};

test('decodeSummaryIndex() and decompressSubSummary() read what flatpak wrote', () => {
  assert.deepEqual(subsetRefs(fixture), expected);
  const bytes = readFileSync(join(fixture, 'summary.idx'));
  const index = decodeSummaryIndex(bytes);
  const [old, ...older] = index.subsets.get('x86_64')!.history;
  assert.deepEqual(older, []);
  const earlier = decompressSubSummary(readFileSync(join(fixture, subSummaryPath(old!))), old!);
  assert.deepEqual(
    Array.from(decodeSummary(earlier).list(), ({ ref }) => ref),
    [`${app}/x86_64/stable`],
  );
  assert.deepEqual(Buffer.from(encodeSummaryIndex(index)), bytes);
});

test(
  'decodeSummaryIndex() reads what `flatpak build-update-repo` writes now',
  { skip: needs('ostree', 'flatpak') },
  () => {
    const root = mkdtempSync(join(tmpdir(), 'cfs-flatpak-'));
    const flatpak = (...args: readonly string[]): void => {
      // Its own folders, so that no installation of the machine is read.
      const env = { ...process.env, HOME: root, XDG_DATA_HOME: root, FLATPAK_USER_DIR: root, FLATPAK_SYSTEM_DIR: root };
      const { status, stderr } = spawnSync('flatpak', args, { encoding: 'utf8', env });
      assert.equal(status, 0, stderr);
    };
    try {
      const repository = join(root, 'repo');
      const build = join(root, 'app');
      for (const folder of ['files', 'export']) mkdirSync(join(build, folder), { recursive: true });
      writeFileSync(join(build, 'metadata'), '[Application]\nname=org.test.App\nruntime=org.test.Runtime/x86_64/1\n');
      writeFileSync(join(build, 'files/x'), 'hi\n');
      ostree('init', `--repo=${repository}`, '--mode=archive');
      const exported = (...args: readonly string[]): void =>
        flatpak(
          'build-export',
          '--disable-sandbox',
          '--no-update-summary',
          ...args.slice(0, -1),
          repository,
          build,
          args.at(-1)!,
        );
      exported('--arch=x86_64', 'stable');
      exported('--arch=aarch64', 'stable');
      exported('--arch=x86_64', '--subset=verified', 'beta');
      flatpak('build-update-repo', '--no-update-appstream', repository);
      assert.deepEqual(subsetRefs(repository), expected);
      decodeSummary(readFileSync(join(repository, 'summary'))).check();
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);

test('decodeSummary() reads the whole summary that flatpak wrote', () => {
  const summary = decodeSummary(readFileSync(join(fixture, 'summary')));
  summary.check();
  assert.deepEqual(
    Array.from(summary.list({ match: refGlob('app/*/x86_64/*') }), ({ ref }) => ref),
    [`${app}/x86_64/beta`, `${app}/x86_64/stable`],
  );
});

test('subsetFor() takes the architecture of the ref, then the one asked for', () => {
  const index = decodeSummaryIndex(readFileSync(join(fixture, 'summary.idx')));
  assert.equal(subsetFor(index, `${app}/aarch64/stable`, { architecture: 'x86_64' }), 'aarch64');
  assert.equal(subsetFor(index, `${app}/x86_64/beta`, { subset: 'verified' }), 'verified-x86_64');
  assert.equal(subsetFor(index, 'appstream/x86_64'), 'x86_64');
  assert.equal(subsetFor(index, 'ostree-metadata', { architecture: 'x86_64' }), 'x86_64');
  assert.equal(subsetFor(index, 'ostree-metadata'), undefined);
  assert.equal(subsetFor(index, `${app}/riscv64/stable`), undefined);
});

suite('decompressSubSummary()', () => {
  const content = Buffer.alloc(1 << 20);
  const digest = checksumOf(content);
  const gzip = gzipSync(content);
  test('gives the bytes', () => assert.deepEqual(Buffer.from(decompressSubSummary(gzip, digest)), content));
  test('stops at the limit', () => {
    assert.equal(decompressSubSummary(gzip, digest, { limit: content.length }).length, content.length);
    assert.throws(() => decompressSubSummary(gzip, digest, { limit: content.length - 1 }), { code: 'LIMIT' });
  });
  test('rejects another content', () => {
    const other = checksumOf(gzip);
    assert.throws(() => decompressSubSummary(gzip, other), { code: 'CHECKSUM', expected: other, actual: digest });
  });
  for (const [name, bytes] of [
    ['no bytes', new Uint8Array(0)],
    ['other bytes', Buffer.from('<html>not found</html>')],
    ['an early end', gzip.subarray(0, -9)],
    ['a wrong checksum', gzip.map((byte, i) => (i === gzip.length - 6 ? byte ^ 1 : byte))],
  ] as const) {
    test(`rejects ${name}`, () =>
      assert.throws(() => decompressSubSummary(bytes, digest), { code: 'FORMAT', field: 'gzip' }));
  }
});

const TYPE = '(a{s(ayaaya{sv})}a{sv})';
const sum = new Uint8Array(32).fill(7);
const row = (name: string, digest = sum, history: Uint8Array[] = []): Uint8Array =>
  encode(TYPE, [[[name, [digest, history, []]]], []]);

rejects('decodeSummaryIndex', decodeSummaryIndex, [
  ['no bytes', new Uint8Array(0), TYPE, /Not normal form/],
  ['an empty name', row(''), 'subsets', /invalid name of a subset ""/],
  ['a name with a slash', row('../x'), 'subsets', /invalid name of a subset "\.\.\/x"/],
  ['a short digest', row('a', sum.subarray(1)), 'subsets.a', /length 31/],
  ['a short digest in the history', row('a', sum, [sum, sum.subarray(1)]), 'subsets.a.history[1]', /length 31/],
  [
    'a subset listed twice',
    encode(TYPE, [
      [
        ['a', [sum, [], []]],
        ['a', [sum, [], []]],
      ],
      [],
    ]),
    'subsets.a',
    /listed twice/,
  ],
]);

test('subSummaryPath() rejects what is no digest', () => {
  assert.throws(() => subSummaryPath('../x'), { code: 'FORMAT' });
});

const idx = readFileSync(join(fixture, 'summary.idx'));
holdsForAnyBytes(
  'decodeSummaryIndex',
  decodeSummaryIndex,
  (index, bytes) => {
    const names = [...index.subsets.keys()];
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return names.join() === sorted.join() ? encodeSummaryIndex(index) : bytes;
  },
  [idx, row('a', sum, [sum])],
);
const small = gzipSync(Buffer.from('a summary'));
holdsForAnyBytes(
  'decompressSubSummary',
  (bytes) => decompressSubSummary(bytes, checksumOf(gunzipSync(small))),
  (content, bytes) => {
    assert.equal(Buffer.from(content).toString(), 'a summary');
    return bytes;
  },
  [small],
);
